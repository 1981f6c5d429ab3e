"""A dictionary in a conversation: what is found, in which order, how much of it is shown, and what is off the mask."""

import pytest
import torch

from rlft.environments.lookup import Dictionary, Lookup, answered, answering, asking, queries, words_of
from rlft.errors import UserError
from rlft.models.small_language import small_llama, subword_tokenizer
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.types import Message, Problem, Text

ENTRIES = [
    ("casado", "warmiyuq"),
    ("casa grande", "hatun wasi"),
    ("Casa", "wasi"),
    ("casa", "WASI"),
    ("perro", "allqu"),
    ("caso", "chayna"),
]


def test_words_have_no_case_and_no_accents():
    assert words_of("¿Qué HACÉIS, niño-1?") == ["que", "haceis", "nino", "1"]


def test_the_word_itself_comes_first_then_phrases_then_what_begins_alike():
    found = Dictionary(ENTRIES).find("CASA")
    assert found == [("casa", "WASI"), ("casa grande", "hatun wasi"), ("casado", "warmiyuq")]
    assert Dictionary(ENTRIES).find("casa", 2) == found[:2]


def test_what_begins_alike_shares_four_letters_and_three_fifths():
    entries = [("comprar", "rantiy"), ("compra", "rantina"), ("competencia", "atipanakuy"), ("com", "x")]
    # compro: "compr" is 5 of 7 letters of comprar, 5 of 6 of compra; "comp" 4 of 11 of competencia
    assert Dictionary(entries).find("compró") == [("compra", "rantina"), ("comprar", "rantiy")]
    assert Dictionary(entries).find("...") == []
    assert len(Dictionary(ENTRIES)) == 5  # casa=wasi once


def test_queries_take_turns_and_an_answer_has_five_matches():
    many = [(f"gato{letter}", f"misi{letter}") for letter in "abcdefg"]
    look = Lookup(Dictionary([*many, ("perro", "allqu")]), queries=3, matches=5)
    assert look.answer(["gatoa", "perro"]) == "gatoa: misia; perro: allqu; gatob: misib; gatoc: misic; gatod: misid"
    assert look.answer(["nadie"]) == "-"
    assert Lookup(Dictionary(many), matches=2).answer(["gatoa", "gatoa"]) == "gatoa: misia; gatob: misib"


def test_a_turn_without_a_query_is_the_last_and_words_beyond_the_budget_are_not_looked_up():
    look, problem = Lookup(Dictionary(ENTRIES), queries=2), Problem(0, "x")
    ask, over = Message("assistant", "<query> perro</query>"), Message("assistant", "<query>casa, caso perro")
    (none,), (one,), (cut,), (late,), (empty,) = (
        look.respond([problem], [transcript])
        for transcript in (
            [Message("assistant", "<answer> wasi")],
            [ask],
            [over],
            [ask, Message("tool", "perro: allqu"), over],
            [Message("assistant", "<query></query>")],
        )
    )
    assert none == []
    assert one == [Message("tool", "perro: allqu")]
    assert cut == [Message("tool", "casa: WASI; caso: chayna; casa grande: hatun wasi; casado: warmiyuq", failed=True)]
    assert late == [Message("tool", "casa: WASI; casa grande: hatun wasi; casado: warmiyuq", failed=True)]
    assert empty == [Message("tool", "-", failed=True)]
    with pytest.raises(UserError, match="queries"):
        Lookup(Dictionary(ENTRIES), queries=0)


def test_tags_are_read_as_they_are_written():
    assert queries(asking(["uno", "dos"])) == ["uno", "dos"]
    assert queries("<answer> uno") is None
    assert answered(answering("wasi kay")) == "wasi kay"
    assert answered("wasi") is None
    assert answered(Text("<answer> wasi", truncated=True)) is None


def test_the_matches_are_in_the_row_and_not_on_the_mask():
    """A demonstrated row: the dictionary's tokens have no loss and no gradient, the policy's have."""
    tags = ("<query>", "</query>", "<answer>", "</answer>", "\n<tool_response>\n", "\n</tool_response>\n")
    tokenizer = subword_tokenizer([f"{one} {other}" for one, other in ENTRIES], 280, tags)
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=160)
    look = Lookup(Dictionary(ENTRIES))
    policy = Conversation(Language(model, tokenizer, max_new_tokens=24, stop=("</answer>",)), look, turns=2)
    said = [asking(["perro"]), look.answer(["perro"]), answering("allqu")]
    answer = [{"role": r, "content": t} for r, t in zip(("assistant", "tool", "assistant"), said, strict=True)]
    rows = policy.demonstrate([Problem(0, " perro\n", answer)], seed=0)
    tokens, own = rows.trace["completion"][0], rows.mask[0]
    assert tokenizer.decode(tokens[own]) == said[0] + said[2]
    assert tokenizer.decode(tokens[~own]) == f"\n<tool_response>\n{said[1]}\n</tool_response>\n"
    loss = policy.loss_on(rows)
    assert bool((loss[0][own] > 0).all()) and bool((loss[0][~own] == 0).all())
    assert torch.equal(policy.log_prob(rows), -loss)
