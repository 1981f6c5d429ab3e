"""What is remembered of replies, and what a server's answer says."""

import math

import pytest

from rlft.errors import UserError
from rlft.rewards.judging.replies import Replies, Reply, key_of, reply_of


def answer(**choice):
    return {"model": "m-1", "choices": [{"message": {"content": "Yes"}, "finish_reason": "stop", **choice}]}


def top(*pairs):
    listed = [{"token": token, "logprob": math.log(p)} for token, p in pairs]
    return {"token": pairs[0][0], "logprob": 0.0, "top_logprobs": listed}


def test_a_reply_is_the_first_choice():
    told = {**answer(finish_reason="length"), "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    assert reply_of(told, False) == Reply("Yes", "length", 7, 2, None, "m-1")
    assert reply_of(answer(message={"content": None, "refusal": "no"}), False) == Reply("", "stop", model="m-1")


def test_soft_verdicts_are_summed_over_spellings_at_the_first_token_that_is_one():
    thinking = top(("Well", 0.9), ("Yes", 0.1))
    verdict = top(("Yes", 0.5), (" yes", 0.1), ("No", 0.2), ("Maybe", 0.2))
    yes, no = reply_of(answer(logprobs={"content": [thinking, verdict]}), True).soft
    assert yes == pytest.approx(0.6)
    assert no == pytest.approx(0.2)
    assert reply_of(answer(logprobs={"content": [thinking]}), True).soft == (0.0, 0.0)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": [{"token": "Yes", "logprob": 0.0}]}])
def test_logprobs_that_a_server_dropped_are_an_error(logprobs):
    with pytest.raises(UserError, match="took `logprobs` and sent none"):
        reply_of(answer(logprobs=logprobs), True)


def test_keys_are_of_the_content():
    assert key_of({"a": 1, "b": "ü"}) == key_of({"b": "ü", "a": 1}) != key_of({"a": 1, "b": "u"})


def test_a_file_outlives_the_process_and_is_shared(tmp_path):
    file = tmp_path / "deep" / "judged.jsonl"
    one, two = Replies(str(file)), Replies(str(file))
    reply = Reply("Yes\n", "stop", 3, 4, (0.5, 0.25), "m")
    one.keep("k", reply)
    assert two.kept == {}
    two.refresh()
    assert two.kept == {"k": reply} == Replies(str(file)).kept
    assert Replies().kept == {}


def test_a_torn_line_is_passed_over_and_ended(tmp_path):
    file = tmp_path / "judged.jsonl"
    Replies(str(file)).keep("k", Reply("one"))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"key": "l", "te')
    again = Replies(str(file))
    assert set(again.kept) == {"k"}
    again.keep("m", Reply("two"))
    file.write_bytes(file.read_bytes() + b'7\n[]\n{"key": "n"}\n{"key": "o", "text": "t", "soft": [1]}\n')
    assert set(Replies(str(file)).kept) == {"k", "m"}


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        Replies(str(tmp_path / "file" / "judged.jsonl")).keep("k", Reply("one"))
