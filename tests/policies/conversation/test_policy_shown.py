"""Conversations about what a problem shows: seen in every turn, by a tower that runs once."""

import pytest

from rlft.policies.conversation.policy import Conversation
from rlft.policies.conversation.turns import Window
from rlft.policies.language.policy import Language
from rlft.types import Message, UserError
from tests.policies.perception.families import PICTURES, llava, qwen_vl


class Asking:
    """Answers every turn with a few words."""

    schemas, stop = (), ()

    def __init__(self, answer="go on"):
        self.answer = answer

    def respond(self, problems, transcripts):
        message = Message("user", "")
        object.__setattr__(message, "content", self.answer)  # as one whose author has not read that it is a text
        return [[message] for _ in transcripts]


def built(family=llava, **told):
    model, processor = family()
    model.generation_config.eos_token_id = list(range(0, 256, 2))  # so that turns end
    language = Language(model.requires_grad_(False), processor, max_new_tokens=12)
    return Conversation(language, Asking(**told), turns=3)


@pytest.mark.parametrize("family", [llava, lambda: qwen_vl("2.5")])
def test_what_was_shown_is_seen_in_every_turn(family):
    policy = built(family)
    rows = policy.sample(PICTURES, 2, seed=0)
    assert int(rows.column("turn").max()) == 2
    assert (policy.log_prob(rows) - rows.logp_old).abs().max() < 5e-5
    assert policy.language.front.tower.runs == 3
    blank = Language(policy.language.causal, policy.language.front.processor, max_new_tokens=5)
    other = blank.log_prob(type(rows)(tuple(PICTURES[i // 2 - 2] for i in range(8)), 2, rows.outputs,
                                      rows.trace, rows.mask, rows.logp_old)[[2, 3, 6, 7]])  # fmt: skip
    last = rows[[2, 3, 6, 7]].column("turn") == 2
    assert (other - rows.logp_old[[2, 3, 6, 7]])[last].abs().max() > 1e-3  # another picture, other last turns


def test_answers_are_text():
    policy = built(answer=[{"type": "image", "image": PICTURES[0].input[0]["content"][0]["image"]}])
    with pytest.raises(UserError, match="what answers in a later turn is text"):
        policy.sample(PICTURES[:1], 1, seed=0)


def test_a_window_with_summaries_is_for_text():
    with pytest.raises(UserError, match="a window with summaries is for models that read text alone"):
        Conversation(built().language, Asking(), window=Window(tokens=60, summaries=1))
