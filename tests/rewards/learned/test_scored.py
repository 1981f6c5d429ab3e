"""Folders of reward models and classifiers as rewards."""

import pytest
import torch

from rlft.errors import UserError
from rlft.models.sequence import Reader
from rlft.options.reward import load_reward
from rlft.rewards.learned.scored import classifier, scorer
from rlft.types import Message, Problem, Transcript
from tests.models.small_readers import small_reader

ROWS = [Problem(0, "1+1")] * 3 + [Problem(1, "2+2")] * 2
SAID = ["2", "3 or 4", "", "4", "four"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("readers")
    small_reader(1, chat=True).save(place / "one")
    small_reader(3, chat=True).save(place / "three")
    return place


def by_hand(labels):
    """Each row alone, through the model's own code."""
    reader = small_reader(labels, chat=True)
    tokens = reader.tokenizer
    texts = [f"<u>{p.input}<a>{said}" for p, said in zip(ROWS, SAID, strict=True)]
    rows = [torch.tensor([tokens(text, add_special_tokens=False)["input_ids"]]) for text in texts]
    with torch.no_grad():
        return torch.cat([reader.model(input_ids=row).logits for row in rows])


def test_a_scorer_gives_the_models_number(folders):
    expected = by_hand(1)[:, 0]
    for batch in (1, 2, 16):
        found = scorer(str(folders / "one"), batch=batch, device="cpu")(ROWS, SAID)
        torch.testing.assert_close(found["score"], expected, atol=1e-5, rtol=1e-5)
        assert found.watch["too_long"].tolist() == [0] * 5


def test_the_completion_alone(folders):
    alone = scorer(str(folders / "one"), reads="completion", device="cpu")
    whole = scorer(str(folders / "one"), device="cpu")
    expected = whole([Problem(0, "")] * 5, SAID)["score"]
    assert torch.equal(alone(ROWS, SAID)["score"], expected)
    assert not torch.equal(whole(ROWS, SAID)["score"], expected)


def test_a_classifier_gives_the_probability_of_its_label(folders):
    found = classifier(str(folders / "three"), label="LABEL_2", device="cpu")(ROWS, SAID)["probability"]
    torch.testing.assert_close(found, by_hand(3).softmax(1)[:, 2], atol=1e-5, rtol=1e-5)
    single = classifier(str(folders / "one"), label="0", device="cpu")(ROWS, SAID)["probability"]
    torch.testing.assert_close(single, by_hand(1)[:, 0].sigmoid(), atol=1e-5, rtol=1e-5)


def test_normalised_by_group(folders):
    words = f"scorer({str(folders / 'one')!r}, normalise='group', device='cpu')"
    found = load_reward(words)(ROWS, SAID)["normalised"]
    raw = by_hand(1)[:, 0]
    expected = torch.cat([(part - part.mean()) / part.std(correction=0) for part in (raw[:3], raw[3:])])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_row_that_is_too_long_is_no_score(folders):
    reward = scorer(str(folders / "one"), device="cpu")
    found = reward(ROWS[:2], ["a" * 80, "2"])
    assert found["score"].isnan().tolist() == [True, False]
    assert found.watch["too_long"].tolist() == [1, 0]
    assert reward.explain(ROWS[0], "a" * 80) == "89 tokens, and it reads 64"
    assert reward.explain(ROWS[0], "2").endswith("of 10 tokens")
    assert reward(ROWS[:1], ["a" * 80])["score"].isnan().all()


def test_it_is_frozen(folders):
    reward = scorer(str(folders / "one"), device="cpu")
    assert not any(weight.requires_grad for weight in reward.reader.model.parameters())


def test_what_does_not_fit_is_refused(folders):
    with pytest.raises(UserError, match="has 3 labels and is no scorer"):
        scorer(str(folders / "three"), device="cpu")
    with pytest.raises(UserError, match="no label 'good'"):
        classifier(str(folders / "three"), label="good", device="cpu")
    with pytest.raises(UserError, match="is no model that scores texts"):
        scorer(str(folders / "two"))
    with pytest.raises(UserError, match="batch=0"):
        scorer(str(folders / "one"), batch=0, device="cpu")


def test_the_whole_conversation(folders):
    """Of a conversation the completion is its last turn; a model may read all that was said."""
    turns = [Message("assistant", "1"), Message("user", "2"), Message("assistant", "3")]
    talk, last = Transcript("3", (), False, turns), Transcript("3", (), False, turns[-1:])
    everything = scorer(str(folders / "one"), reads="conversation", device="cpu")
    both = scorer(str(folders / "one"), device="cpu")
    found = everything(ROWS[:3], [talk, last, "3"])["score"]
    told = small_reader(1, chat=True).shown("1+1", "3")
    with torch.no_grad():
        reader = small_reader(1, chat=True)
        text = "<u>1+1<a>1<u>2<a>3"
        row = torch.tensor([reader.tokenizer(text, add_special_tokens=False)["input_ids"]])
        expected = reader.model(input_ids=row).logits[0, 0]
    assert found[0] == pytest.approx(float(expected), abs=1e-5)
    torch.testing.assert_close(found[1:], both(ROWS[:2], ["3", "3"])["score"])
    assert found[0] != found[1]
    assert small_reader(1, chat=True).shown("1+1", [Message("assistant", "3")]) == told
    plain = Reader(reader.model, lambda text: {"input_ids": map(ord, text)})  # of no template: line by line
    assert "".join(map(chr, plain.shown("1", turns))) == "11\n2\n3"
