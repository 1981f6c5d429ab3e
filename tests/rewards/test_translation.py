"""The reward of a translation in tags."""

import pytest
import sacrebleu
import torch

from rlft.errors import UserError
from rlft.rewards.translation import translation
from rlft.training.score import score
from rlft.types import Problem, Text


def test_shares_of_sentence_bleu_and_chrf_of_what_stands_in_the_tags():
    answer, said = "the cat sat on the mat", "the cat sat on a mat"
    problems = [Problem(i, "x", answer) for i in range(4)]
    texts = [f"<answer> {said}</answer> more", said, f"<answer>{said}", f"<answer> {answer}"]
    outputs = [Text(text, truncated=i == 2) for i, text in enumerate(texts)]
    parts = translation(bleu_share=0.3)(problems, outputs)
    bleu = sacrebleu.sentence_bleu(said, [answer]).score / 100
    chrf = sacrebleu.sentence_chrf(said, [answer]).score / 100
    assert parts["bleu"].tolist() == pytest.approx([0.3 * bleu, 0, 0, 0.3], abs=1e-6)
    assert parts["chrf"].tolist() == pytest.approx([0.7 * chrf, 0, 0, 0.7], abs=1e-6)
    assert parts.watch["valid"].tolist() == [1, 0, 0, 1]
    assert 0 < bleu < chrf < 1
    total = score(translation(bleu_share=0.3), problems, outputs, 1).total
    assert torch.allclose(total, parts["bleu"] + parts["chrf"])


def test_one_of_the_two_alone():
    problems, outputs = [Problem(0, "x", "uno dos tres cuatro")], [Text("<answer> uno dos tres")]
    assert set(translation(bleu_share=1.0)(problems, outputs)) == {"bleu"}
    assert set(translation(bleu_share=0.0)(problems, outputs)) == {"chrf"}
    with pytest.raises(UserError, match="bleu_share"):
        translation(bleu_share=1.1)
