"""Language: prompts in, texts out, and the data that is refused before training."""

import pickle

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Codec, Prompting, TooLong, cut, padded
from rlft.rewards import format
from rlft.types import Message, Problem, Text, Transcript, UserError

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


def test_what_the_assistant_has_begun_is_gone_on_with():
    codec = Codec(chatting())
    begun = [*CHAT, {"role": "assistant", "content": "well"}]
    assert codec.tokenizer.decode(codec.encode(Problem(0, begun))) == "[user:hi][assistant:well"
    silent = [*CHAT, {"role": "assistant", "content": ""}]
    assert codec.tokenizer.decode(codec.encode(Problem(0, silent))) == "[user:hi][assistant:"
    assert codec.tokenizer.decode(codec.lesson(Problem(0, begun, answer=" ok"))) == " ok"


def test_plain_text_is_a_users_message_where_that_is_said():
    codec = Codec(chatting(), Prompting(chat=True, system="be good"))
    assert codec.tokenizer.decode(codec.encode(Problem(0, "hi"))) == "[system:be good][user:hi][assistant:"
    assert not codec.plain(Problem(0, "hi")) and Codec(chatting()).plain(Problem(0, "hi"))


def test_a_chat_model_that_is_given_raw_text_is_hinted_at_once(capsys):
    policy = build(chatting(), max_new_tokens=2)
    policy.check([Problem(0, CHAT), Problem(1, "hi"), Problem(2, "ho")])
    policy.check([Problem(1, "hi")])
    assert capsys.readouterr().err.count("--chat (chat=True) makes each a user's message") == 1
    build(chatting(), max_new_tokens=2, chat=True).check([Problem(1, "hi")])
    build(max_new_tokens=2).check([Problem(1, "hi")])
    assert not capsys.readouterr().err


def test_what_the_template_is_told():
    tokenizer = chatting()
    tokenizer.chat_template = TEMPLATE + "{% if enable_thinking is false %}[no]{% endif %}{{ words or '' }}"
    problem = Problem(0, CHAT)
    told = Codec(tokenizer, Prompting(chat_template_kwargs=("enable_thinking=False", "words=a b")))
    assert tokenizer.decode(told.encode(problem)).endswith("[assistant:[no]a b")
    own = Problem(0, CHAT, columns={"chat_template_kwargs": {"words": "c"}})
    assert tokenizer.decode(told.encode(own)).endswith("[no]c")
    assert tokenizer.decode(Codec(tokenizer).encode(own)).endswith("[assistant:c")
    assert Prompting(chat_template_kwargs=["a=true", "b=1.5", "c=x=y"]).template == {"a": True, "b": 1.5, "c": "x=y"}
    for wrong in ("thinking", "a b=1", "=x"):
        with pytest.raises(UserError, match="is not name=value"):
            Prompting(chat_template_kwargs=(wrong,))


def test_a_template_that_refuses_says_so_in_a_sentence():
    tokenizer = chatting()
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    tokenizer.chat_template = refusal + TEMPLATE
    with pytest.raises(UserError, match="refuses messages of system, user: System role not supported; put the system"):
        Codec(tokenizer, Prompting(system="be good")).encode(Problem(0, CHAT))


def test_a_text_begins_once_and_does_not_end():
    ending = characters()
    ending.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    codec, begins, ends = Codec(ending), ending.bos_token, ending.eos_token
    assert (begins, ends, ending("ab")["input_ids"]) == ("<bos>", "<eos>", [1, 3, 4, 2])
    assert codec.encode(Problem(0, "ab")) == [1, 3, 4]
    assert codec.encode(Problem(0, f"{begins}ab")) == [1, 3, 4]
    assert codec.encode(Problem(0, f"ab{ends}")) == [1, 3, 4, 2, 2]  # what the data say stays
    assert codec.lesson(Problem(0, "a", answer="b")) == [4]


def test_a_prompt_that_is_too_long_is_cut_on_its_left():
    long, short = Problem(0, "abcdefghijklmnopqrst"), Problem(1, "ab")
    policy = build(max_new_tokens=8, overlong="cut")
    assert policy.prompt(long, 8) == [1, *range(22 - 15 + 1, 23)]
    assert len(policy.prompt(long, 8)) == 24 - 8 and policy.prompt(short, 8) == [1, 3, 4]
    assert policy.sample([long, short], 2, 0).trace["prompt_length"].tolist() == [16, 16, 3, 3]
    assert cut([5, 6, 7, 8], 2, 5, 1) == [6, 7, 8]
    with pytest.raises(TooLong, match="or choose --overlong drop or cut"):
        build(max_new_tokens=8).prompt(long, 8)
    with pytest.raises(TooLong):
        policy.prompt(long, 24)  # not even one token of it would be left


def test_a_stop_string_among_bytes():
    """A run of bytes is read together: a later one can take back a line that an earlier one had ended."""
    words = {"<unk>": 0, "▁a": 1, "▁he": 2, "<0x0A>": 3, "<0xF0>": 4, "<0xC3>": 5, "<0xA9>": 6}
    made = Tokenizer(models.BPE(words, [], unk_token="<unk>", byte_fallback=True))
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")
    codec = Codec(tokenizer, Prompting(stop=("\n",)))
    row = [1, 3, 4, 2, 2]
    assert "\n" not in tokenizer.decode(row) and codec.stopped(row) == 2
    assert codec.stopped([1, 5, 6, 3, 2]) == 4 and codec.stopped([1, 5, 6, 2]) is None
    assert codec.stopped([1, 4, 3, 2]) is None  # never a line's end by itself
    assert codec.lengths(torch.tensor([row]), torch.tensor([0])) == ([2], [False])
    assert codec.text(row[:2], False) == " a"
    assert codec.over(row, [0]) and codec.any_stopped([[1]], torch.tensor([0]), torch.tensor([row[1:]])).tolist() == [
        True
    ]
    assert Codec(tokenizer, Prompting(stop=("é",))).stopped([1, 5, 6, 2]) == 3


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


def thinking():
    """A tokenizer to which the tags are special tokens, and whose template opens the first of them."""
    tokenizer = chatting()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>", "<answer>", "</answer>"]})
    tokenizer.chat_template = TEMPLATE.replace("[assistant:", "[assistant:<think>")
    return tokenizer


def test_special_tokens_are_in_the_raw_text_and_count_for_format():
    codec = Codec(thinking())
    ids = dict(zip(("think", "over", "answer", "end"), range(34, 38), strict=True))
    said = [3, ids["over"], ids["answer"], 4, ids["end"]]
    row = codec.text([*said, 2], False, codec.opened(codec.encode(Problem(0, CHAT))))
    assert (row, row.raw, row.opened) == ("ab", "a</think><answer>b</answer>", "<think>")
    assert format()([Problem(0, CHAT)], [row]).tolist() == [1]
    assert format()([Problem(0, CHAT)], [Text(row)]).tolist() == [0]
    assert codec.text(said, True).raw == row.raw  # cut by a limit: its last token is its own
    stopping = Codec(codec.tokenizer, Prompting(stop=("</answer>",)))
    assert stopping.text(said, False).raw == "a</think><answer>b"
    assert codec.text([3, 4], True).raw == "ab"
    assert codec.opened([1]) == "" == codec.opened(codec.tokenizer("ab")["input_ids"])
    for text in (row, Transcript(row, row.tokens, False, [Message("assistant", "ab")])):
        again = pickle.loads(pickle.dumps(text))
        assert (again, again.raw, again.opened, again.tokens) == (text, text.raw, "<think>", text.tokens)


def test_what_the_template_opens_reaches_the_reward():
    tokenizer = thinking()
    policy = Language(small_llama(38, width=16, layers=1, heads=2, context=40), tokenizer, max_new_tokens=3)
    rows = policy.sample([Problem(0, CHAT), Problem(1, "ab")], 2, 0)
    assert [row.opened for row in rows.outputs] == ["<think>", "<think>", "", ""]


def test_a_stop_string_may_be_a_special_token():
    codec = Codec(characters(), Prompting(stop=("<pad>", "ef")))
    assert codec.stopped([3, 4, 0, 5]) == 3
    assert codec.text([3, 4, 0], False) == "ab"
    assert codec.stopped([3, 7, 8, 5]) == 3
    assert codec.stopped([3, 7, 1, 8, 5]) == 4  # as people read it
    assert codec.stopped([3, 7, 5, 8]) is None


def test_padding_is_at_the_end():
    assert padded([[5], [6, 7, 8], []], "cpu").tolist() == [[5, 0, 0], [6, 7, 8], [0, 0, 0]]


def test_which_tokens_were_drawn_before_a_character():
    codec = Codec(characters())
    text = codec.text([*codec.tokens(Problem(0, "ab:c"), "ab:c", False), 2], False)
    assert str(text) == "ab:c" and len(text.tokens) == 5
    assert codec.placed(text, [0, 1, 3, 4]) == [0, 1, 3, 5]  # the end is not shown, and belongs to what is before it
    assert codec.placed(codec.text([2], False), [0]) == [0]
