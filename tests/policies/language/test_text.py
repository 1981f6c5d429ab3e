"""Language: prompts in, texts out, and the data that is refused before training."""

import pickle

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Codec, Prompting, padded
from rlft.types import Problem, UserError

TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}:{{ m['content'] }}]{% endfor %}"
    "{% if add_generation_prompt %}[assistant:{% endif %}"
)
CHAT = [{"role": "user", "content": "hi"}]


def characters():
    return character_tokenizer("abcdefghijklmnopqrstuvwxyz []:.")


def chatting():
    tokenizer = characters()
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def build(tokenizer=None, **told) -> Language:
    tokenizer = tokenizer or characters()
    return Language(small_llama(34, width=16, layers=1, heads=2, context=24), tokenizer, **told)


def test_a_string_is_encoded_with_the_usual_special_tokens():
    codec = Codec(characters())
    assert codec.encode(Problem(0, "ab")) == [1, 3, 4]


def test_chat_messages_go_through_the_template():
    codec = Codec(chatting())
    tokens = codec.encode(Problem(0, CHAT))
    # The template writes its own special tokens: none is added.
    assert tokens[0] != 1
    assert codec.tokenizer.decode(tokens) == "[user:hi][assistant:"


def test_a_system_prompt_stands_before_messages_that_have_none():
    codec = Codec(chatting(), Prompting(system="be good"))
    assert codec.tokenizer.decode(codec.encode(Problem(0, CHAT))) == "[system:be good][user:hi][assistant:"
    own = [{"role": "system", "content": "rhyme"}, *CHAT]
    assert codec.tokenizer.decode(codec.encode(Problem(0, own))) == "[system:rhyme][user:hi][assistant:"
    with pytest.raises(UserError, match="problem 3 of task/train is plain text"):
        codec.encode(Problem(3, "hi"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (CHAT, "problem 7 of sums/test is chat messages, and the tokenizer has no chat template"),
        (12, "problem 7 of sums/test: a language prompt is a string or chat messages"),
        (["a", "b"], "a language prompt is a string or chat messages"),
        ([{"role": "user"}], "a language prompt is a string or chat messages"),
        ("ab?", "problem 7 of sums/test: the tokenizer cannot encode 'ab\\?'"),
        ("abcdefghijklmnop", "prompt of 17 tokens and 8 new ones do not fit in the model's context of 24"),
    ],
)
def test_check_names_the_problem(given, said):
    policy = build(max_new_tokens=8)
    good = Problem(1, "abc")
    policy.check([good, Problem(2, "abcdefghijklmno")])  # 16 + 8 = 24 just fit
    bad = Problem(7, given, task="sums", split="test")
    with pytest.raises(UserError, match=said):
        policy.check([good, bad])
    with pytest.raises(UserError, match=said):
        policy.sample([good, bad], 1, 0)


def test_a_tokenizer_that_encodes_to_nothing_is_found_out():
    # No unknown token and no BOS: characters that are not known vanish.
    silent = Tokenizer(models.BPE({"x": 0}, []))
    silent.pre_tokenizer = pre_tokenizers.Whitespace()
    policy = build(PreTrainedTokenizerFast(tokenizer_object=silent), max_new_tokens=8)
    with pytest.raises(UserError, match="problem 4 of task/train: its prompt 'abc' becomes no token at all"):
        policy.check([Problem(4, "abc")])
    policy.check([Problem(4, "x")])


def test_a_tokenizer_of_another_model_is_found_out():
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ")
    with pytest.raises(UserError, match="has token 38, and the model knows 34"):
        build(tokenizer, max_new_tokens=8).check([Problem(0, "aJ")])


def test_an_answer_follows_its_prompt_as_one_text_would():
    # A tokenizer that opens every text with a space, as SentencePiece models do.
    spaced = Tokenizer(models.WordLevel({"▁a": 0, "▁b": 1, "b": 2, "a": 3, "ab": 4, "c": 5}, unk_token="c"))
    spaced.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split("b", "isolated"), pre_tokenizers.Split("▁a", "isolated")]
    )
    codec = Codec(PreTrainedTokenizerFast(tokenizer_object=spaced))
    assert codec.encode(Problem(0, "a")) == [0]
    assert codec.tokenizer("b")["input_ids"] != [2]
    assert codec.lesson(Problem(0, "a", answer="b")) == [2]


def test_a_demonstration_is_imitated_in_place_of_the_answer():
    codec = Codec(characters())
    both = Problem(0, "a", answer="b", demonstration="a. b")
    assert codec.tokenizer.decode(codec.lesson(both)) == "a. b" == both.lesson
    assert Problem(0, "a", answer="b").lesson == "b" and Problem(0, "a").lesson is None
    policy = Language(small_llama(34, width=16, layers=1, heads=2, context=8), characters(), max_new_tokens=2)
    (row,) = policy.demonstrate([both], 0).outputs
    assert row == "a. b"
    policy.check_lessons([both])
    with pytest.raises(UserError, match="problem 0 of task/train: its prompt of 2 tokens and 7 new ones do not fit"):
        policy.check_lessons([both, Problem(0, "a", demonstration="a. bbb")])


def test_an_answer_that_would_change_the_prompt_is_encoded_alone():
    merging = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    codec = Codec(PreTrainedTokenizerFast(tokenizer_object=merging))
    assert codec.tokenizer("ab")["input_ids"] == [2]
    assert codec.lesson(Problem(0, "a", answer="b")) == [1]
    assert codec.lesson(Problem(0, "b", answer="ab")) == [2]


def test_a_chat_answer_follows_the_template():
    codec = Codec(chatting())
    assert codec.tokenizer.decode(codec.lesson(Problem(0, CHAT, answer="ok."))) == "ok."
    assert codec.lesson(Problem(0, CHAT, answer="ok."))[0] != 1


def test_text_is_a_view_of_its_tokens():
    codec = Codec(characters(), Prompting(stop=("cd",)))
    text = codec.text([3, 4, 0, 5, 6, 7, 2], False)
    assert text == "ab"
    assert text.tokens == (3, 4, 0, 5, 6, 7, 2)
    assert not text.truncated
    again = pickle.loads(pickle.dumps(codec.text([3, 4], True)))
    assert (str(again), again.tokens, again.truncated) == ("ab", (3, 4), True)


def test_a_stop_string_may_be_a_special_token():
    codec = Codec(characters(), Prompting(stop=("<pad>", "ef")))
    assert codec.stopped([3, 4, 0, 5]) == 3
    assert codec.text([3, 4, 0], False) == "ab"
    assert codec.stopped([3, 7, 8, 5]) == 3
    assert codec.stopped([3, 7, 1, 8, 5]) == 4  # as people read it
    assert codec.stopped([3, 7, 5, 8]) is None


def test_padding_is_at_the_end():
    assert padded([[5], [6, 7, 8], []], "cpu").tolist() == [[5, 0, 0], [6, 7, 8], [0, 0, 0]]
