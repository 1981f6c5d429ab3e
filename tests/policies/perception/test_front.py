"""Where what is shown stands in a prompt, and rows that do not depend on who is beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlft.policies.language.policy import Language
from rlft.types import Problem, Rollouts, UserError
from tests.policies.perception.families import FAMILIES, PICTURES, SOUNDS, asked, llava, pixels, qwen2_audio, samples


@pytest.fixture(scope="module")
def seeing():
    model, processor = llava()
    return Language(model.requires_grad_(False), processor, max_new_tokens=6)


@pytest.fixture(scope="module")
def hearing():
    model, processor = qwen2_audio()
    return Language(model.requires_grad_(False), processor, max_new_tokens=6)


def written(policy, problem):
    return policy.tokenizer.decode(policy.prompt(problem, 6)).replace("<image>" * 16, "(i)")


CHAT = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "user", "content": "v"}]


def test_columns_are_shown_before_the_last_users_text(seeing):
    one, two = pixels(32, 32, 0), pixels(9, 20, 1)
    assert written(seeing, Problem(0, "text", columns={"image": one})) == "(i)text"
    assert written(seeing, Problem(0, "text", columns={"images": [one, two]})) == "(i)(i)text"
    assert written(seeing, Problem(0, CHAT, columns={"images": [one, two]})) == "[system]s[user]u[user](i)(i)v"
    assert written(seeing, Problem(0, "a<image>b<image>", columns={"images": [one, two]})) == "a(i)b(i)"
    named = [CHAT[0], {"role": "user", "content": "u<image>w"}]
    assert written(seeing, Problem(0, named, columns={"image": one})) == "[system]s[user]u(i)w"
    shown = asked(0, "a", one, "b", two)
    assert written(seeing, shown) == "[user]a(i)b(i)"
    assert written(seeing, replace(shown, columns={"image": one})) == "[user]a(i)b(i)"  # parts say it already
    earlier = [{"role": "system", "content": shown.input[0]["content"]}, CHAT[1]]
    assert written(seeing, Problem(0, earlier)) == "[system]a(i)b(i)[user]u"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (asked(0, samples(4000, 0)), "is shown image, and problem 0 shows audio"),
        (Problem(0, "one <image> here"), "shows 0 of kind image, and its prompt has 1 places"),
        (Problem(0, CHAT[:1], columns={"image": pixels(8, 8, 0)}), "no message of it is a user's"),
        (Problem(0, [{"role": "user", "content": [{"type": "image"}]}]), "shows nothing"),
        (Problem(0, "x", columns={"image": "no/such.png"}), "cannot read the picture 'no/such.png'"),
        (Problem(0, "x", columns={"image": np.full((4, 4, 3), 2.0)}), "floats in 0..1"),
    ],
)
def test_what_cannot_be_shown_says_so(seeing, problem, said):
    with pytest.raises(UserError, match=said):
        seeing.check([problem])


def test_a_prompt_that_shows_something_is_not_cut(seeing):
    cutting = Language(seeing.causal, seeing.front.processor, max_new_tokens=6, overlong="cut")
    long = "x" * 600
    assert len(cutting.prompt(Problem(0, long), 6)) == 506
    with pytest.raises(UserError, match="do not fit"):
        cutting.prompt(Problem(0, long, columns={"image": pixels(8, 8, 0)}), 6)


def test_a_model_that_reads_text_alone_refuses_parts_that_show_something(seeing):
    from rlft.models.small_language import character_tokenizer, small_llama

    words = character_tokenizer("abc")
    words.chat_template = "{{ messages[0].content }}"
    policy = Language(small_llama(len(words), width=16, layers=1), words)
    with pytest.raises(UserError, match="reads text alone"):
        policy.check([asked(0, pixels(8, 8, 0))])
    with pytest.raises(UserError, match="give its processor"):
        Language(seeing.causal, seeing.tokenizer)


@pytest.mark.parametrize("family", ["llava", "qwen3-vl", "idefics3", "gemma3", "qwen2-audio"])
def test_a_row_is_the_same_whoever_is_beside_it(family):
    """Several things in one row and one, or none, in another, of other sizes; in float64."""
    build, problems = FAMILIES[family]
    model, processor = build()
    policy = Language(model.double().requires_grad_(False), processor, max_new_tokens=5)
    together = policy.sample(problems, 2, seed=5)
    for i, problem in enumerate(problems):
        alone = policy.sample([problem], 2, seed=5)
        rows = together[[2 * i, 2 * i + 1]]
        assert torch.equal(alone.trace["completion"], rows.trace["completion"])
        assert (alone.logp_old - rows.logp_old).abs().max() < 1e-6  # some of a family's norms are float32 always
    turned = policy.log_prob(together[[7, 2, 0, 5, 4, 1, 3, 6]])  # no two of a group beside each other
    assert (turned - together.logp_old[[7, 2, 0, 5, 4, 1, 3, 6]]).abs().max() < 1e-6


def test_rows_of_a_group_are_gone_on_from(seeing):
    rows = seeing.sample(PICTURES, 2, seed=1)
    at = torch.tensor([0, 2, 1, 3, 2, 1, 0, 4]).minimum(rows.mask.sum(1))
    on = seeing.resume(rows, at, 2, seed=3)
    assert (seeing.log_prob(on) - on.logp_old).abs().max() < 5e-5
    whole = replace(on, mask=torch.ones_like(on.mask))
    kept = seeing.log_prob(whole)[::2, :1][at > 0]
    assert (kept - rows.logp_old[:, :1][at > 0]).abs().max() < 5e-5


def test_what_is_said_of_an_image_is_imitated(hearing, seeing):
    for policy, problems in ((seeing, PICTURES), (hearing, SOUNDS)):
        told = [replace(problem, answer="yes") for problem in problems]
        rows = policy.demonstrate(told, seed=0)
        assert rows.mask.sum(1).tolist() == [4] * 4
        assert (policy.loss_on(rows) + policy.log_prob(rows)).abs().max() < 1e-6
        # The first and the last have the same words and show other things.
        assert (rows.logp_old[1] - rows.logp_old[3]).abs().max() > 1e-2


def test_rows_from_two_batches_are_scored_together(seeing):
    one, two = seeing.sample(PICTURES[:1], 2, seed=0), seeing.sample(PICTURES[1:], 2, seed=0)
    both = Rollouts.concat([one, two])
    assert (seeing.log_prob(both) - both.logp_old).abs().max() < 5e-5


def test_what_is_shown_is_read_once_for_all_visits(seeing):
    """Columns with the same pixels, and messages, are known by being the same object; others are read."""
    for problem in (Problem(0, "x", columns={"image": pixels(32, 32, 0)}), asked(0, "a", pixels(32, 32, 1))):
        looked = seeing.front.looked(problem)
        assert seeing.front.looked(replace(problem, visit=2, answer="b")) is looked
        other = replace(problem, input="a", columns={"image": pixels(32, 32, 2)})
        assert seeing.front.looked(other).digest != looked.digest
