"""Rows that outlive their window: what each segment reads, that it is scored as it was drawn, and what is trained."""

import io
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import per_group, zscore
from rlft.environments.pages import Pages
from rlft.methods.grpo import grpo
from rlft.methods.supo import supo
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.conversation.replies import reply
from rlft.policies.language.engines.choose import Plain
from rlft.training.trainer import Trainer
from rlft.types import Message, Problem, Rollouts, UserError
from tests.policies.conversation.test_policy import CUT, PROMPTS, Asked, Echo, language, weights

SEES = Window(42, 3, asks="?", goes_on="ah")


class Answers(Echo):
    """Answers turns that have no g in their first two letters with the first three, and remembers who asked for what.

    Most turns are short: four letters of eight end one.
    """

    stop = tuple("bdfh")

    def respond(self, problems, transcripts):
        self.asked.append([(p.index, list(t)) for p, t in zip(problems, transcripts, strict=True)])
        return [[Message(self.role, t[-1].content[:3])] if "g" not in t[-1].content[:2] else [] for t in transcripts]


def conversation(window=SEES, dialogue=None, turns=10, **told) -> Conversation:
    return Conversation(language(context=200, **told), dialogue or Answers(), turns=turns, window=window)


@pytest.fixture(scope="module")
def drawn():
    policy = conversation()
    return policy, policy.sample(PROMPTS, 8, seed=3)


def pieces(policy, rows, i):
    """Each segment of a row as (context, tokens, first column), from its transcript and its completion alone."""
    prompt = rows.trace["prompt"][i, : rows.trace["prompt_length"][i]].tolist()
    row, at, begin, found = rows.trace["completion"][i].tolist(), 0, 0, []
    context = prompt
    for message in rows.outputs[i].messages:
        at += message.tokens
        if message.role == "summary":
            after = policy.language.tokenizer(f"\n{policy.window.goes_on}\n", add_special_tokens=False)["input_ids"]
            found.append((context, row[begin:at], begin))
            begin, context = at, prompt + row[at - message.tokens : at] + after
    return [*found, (context, row[begin:at], begin)]


def test_no_context_is_longer_than_the_window(drawn):
    policy, rows = drawn
    counts = [output.summaries for output in rows.outputs]
    assert set(counts) == {0, 1, 2, 3}
    longest = 0
    for i, count in enumerate(counts):
        parts = pieces(policy, rows, i)
        assert len(parts) == count + 1
        longest = max(longest, *(len(context) + len(tokens) for context, tokens, _ in parts))
        for j, (context, _, begin) in enumerate(parts[1:]):
            length = int(rows.trace["context_length"][i, j])
            assert rows.trace["context"][i, j, :length].tolist() == context
            assert rows.trace["begins"][i, j] == begin
        assert not rows.trace["context_length"][i, count:].any()
    assert 36 < longest <= 42 < rows.mask.shape[1]


def test_each_decision_has_its_probability_in_its_segment(drawn):
    """Against full forwards of each segment alone."""
    policy, rows = drawn
    logp, met = policy.log_prob(rows).detach(), 0
    assert_close(logp, rows.logp_old, atol=1e-9, rtol=0)
    for i in range(len(rows)):
        for context, tokens, begin in pieces(policy, rows, i):
            with torch.no_grad():
                logits = policy.language.causal(torch.tensor([context + tokens])).logits[0, len(context) - 1 : -1]
            own = rows.mask[i, begin : begin + len(tokens)]
            expected = logits.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])[:, 0] * own
            assert_close(logp[i, begin : begin + len(tokens)], expected, atol=1e-9, rtol=0)
            met += int(own.sum()) * (begin > 0)
    assert met > 100 and rows.logp_old[rows.mask].std() > 0.3


def test_a_rollout_is_the_sum_of_its_segments(drawn):
    """log p(row) = Σ log p(segment), each a row of `Language` of its own, and so are the gradients."""
    policy, rows = drawn
    whole = policy.log_prob(rows).sum(1)
    parts = []
    for i in range(len(rows)):
        for context, tokens, begin in pieces(policy, rows, i):
            trace = {"prompt": torch.tensor([context]), "completion": torch.tensor([tokens])}
            trace["prompt_length"] = torch.tensor([len(context)])
            mask = rows.mask[i : i + 1, begin : begin + len(tokens)]
            alone = replace(rows[[i]], trace=trace, mask=mask, logp_old=torch.zeros(mask.shape), filled={})
            parts.append((i, policy.language.log_prob(alone).sum()))
    summed = torch.zeros(len(rows), dtype=torch.float64).index_add(
        0, torch.tensor([i for i, _ in parts]), torch.stack([value for _, value in parts])
    )
    assert_close(summed, whole, atol=1e-9, rtol=0)
    weight = torch.linspace(-1, 2, len(rows), dtype=torch.float64)
    grads = [torch.autograd.grad((logp * weight).sum(), list(policy.parameters())) for logp in (whole, summed)]
    for one, other in zip(*grads, strict=True):
        assert_close(one, other, atol=1e-6 * float(one.abs().max()) + 1e-12, rtol=0)
    assert max(float(g.abs().max()) for g in grads[0]) > 1


def test_what_is_masked_and_what_was_said(drawn):
    """Answers and what the window says are no decisions; every token of a row is a message's."""
    policy, rows = drawn
    for i, output in enumerate(rows.outputs):
        own = [message.own for message in output.messages for _ in range(message.tokens)]
        assert rows.mask[i].nonzero()[:, 0].tolist() == [place for place, is_own in enumerate(own) if is_own]
        cut = output.truncated and output.messages[-1].tokens < 9
        assert bool(rows.column("unfinished")[i]) >= cut and bool(rows.column("unfinished")[i]) <= output.truncated
        summed = [message.role == "summary" for message in output.messages for _ in range(message.tokens)]
        assert rows.column("summary")[i].nonzero()[:, 0].tolist() == [
            place for place, is_it in enumerate(summed) if is_it
        ]
        assert list(output.tokens) == rows.trace["completion"][i][rows.mask[i]].tolist()
        for k, message in enumerate(output.messages):
            if message.role == "summary":
                around = output.messages[k - 2 : k + 2]
                assert [m.role for m in around] == ["user", "window", "summary", "window"]
                assert [m.content for m in around[1::2]] == ["?", "ah"] and around[3].tokens == 0
    assert not policy.log_prob(rows)[~rows.mask].any()
    assert max(policy.show(output)["messages"][-1]["role"] == "assistant" for output in rows.outputs)


def test_who_answers_hears_of_no_summary_and_of_no_turn_taken_back():
    dialogue = Answers()
    rows = conversation(dialogue=dialogue).sample(PROMPTS, 8, seed=3)
    heard = [asked for turn in dialogue.asked for asked in turn]
    assert all(not message.aside for _, said in heard for message in said)
    assert max(len(asked) for _, asked in heard) > 9  # what was said before the summaries too
    pairs = zip(rows.problems, rows.outputs, strict=True)
    kept = {(p.index, *(m.content for m in o.messages if not m.aside)) for p, o in pairs}
    again = 0
    for index, said in heard:
        words = (index, *(message.content for message in said))
        again += not any(row[: len(words)] == words for row in kept)
    assert again > 3  # turns that were answered and then taken back


def test_rows_end_truncated_where_summaries_do():
    few, many = (conversation(replace(SEES, summaries=s)).sample(PROMPTS, 8, seed=3).outputs for s in (1, 6))
    assert max(o.summaries for o in few) == 1 and max(o.summaries for o in many) > 3
    longer = [(a, b) for a, b in zip(few, many, strict=True) if b.summaries > 1]
    assert sum(a.truncated and a.messages[-1].tokens < 9 for a, _ in longer) > 5
    assert all(a.messages[:5] == b.messages[:5] for a, b in longer)
    for a, b in zip(few, many, strict=True):
        if b.summaries <= 1 and not a.truncated:
            assert a.messages == b.messages
    short = conversation(turns=3).sample(PROMPTS, 8, seed=3).outputs
    assert max(sum(m.role == "assistant" for m in o.messages) for o in short) == 3


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
def test_a_window_that_is_never_full_changes_nothing(told):
    plain = Conversation(language(context=200, **told), Answers(), turns=5).sample(PROMPTS, 4, seed=2)
    for window in (Window(200), Window(None, 4)):
        rows = conversation(window, turns=5, **told).sample(PROMPTS, 4, seed=2)
        for name, value in plain.trace.items():
            assert torch.equal(rows.trace[name], value)
        assert len(rows.trace) - len(plain.trace) == (3 if window.summaries else 0)
        assert torch.equal(rows.logp_old, plain.logp_old) and torch.equal(rows.mask, plain.mask)
        assert [o.messages for o in rows.outputs] == [o.messages for o in plain.outputs]
    assert max(len(o.messages) for o in plain.outputs) > 4


def test_without_summaries_a_window_ends_the_row():
    """As `max_tokens` does, prompt included."""
    asked = PROMPTS[2:3]
    length = 1 + len(asked[0].input)
    cut = conversation(Window(42)).sample(asked, 8, seed=3)
    same = Conversation(language(context=200), Answers(), turns=10, max_tokens=42 - length).sample(asked, 8, seed=3)
    assert [o.messages for o in cut.outputs] == [o.messages for o in same.outputs]
    assert any(o.truncated for o in cut.outputs) and "context" not in cut.trace


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
def test_engines_agree(told):
    ours, model_s = conversation(**told), conversation(engine=Plain, **told)
    rows, plain = (policy.sample(PROMPTS, 8, seed=7) for policy in (ours, model_s))
    assert torch.equal(rows.trace["completion"], plain.trace["completion"])
    assert torch.equal(rows.trace["context"], plain.trace["context"])
    assert_close(model_s.log_prob(rows), ours.log_prob(plain), atol=1e-9, rtol=0)
    assert_close(ours.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert sum(o.summaries for o in rows.outputs) > 20


def test_float32():
    policy = conversation(dtype=torch.float32)
    rows = policy.sample(PROMPTS, 8, seed=3)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    assert max(o.summaries for o in rows.outputs) > 1


def test_a_row_is_its_own_and_padding_changes_nothing(drawn):
    policy, rows = drawn
    assert [o.messages for o in policy.sample(PROMPTS[2:3], 7, seed=3).outputs] == [
        o.messages for o in rows.outputs[16:23]
    ]
    parts = [policy.sample(PROMPTS[i : i + 1], 8, seed=3) for i in range(4)]
    assert len({part.trace["context"].shape[1:] for part in parts}) > 1
    joined = Rollouts.concat(parts)
    assert_close(policy.log_prob(joined), joined.logp_old, atol=1e-9, rtol=0)
    width = min(joined.mask.shape[1], rows.mask.shape[1])
    assert_close(joined.logp_old[:, :width], rows.logp_old[:, :width], atol=1e-9, rtol=0)
    silent = replace(rows[:3], mask=torch.zeros_like(rows.mask[:3]))
    assert not policy.log_prob(silent).any()
    assert_close(policy.reference().log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)


def test_a_critic_sees_the_segment():
    policy = conversation(critic=True)
    torch.nn.init.constant_(policy.language.value_head.weight, 0.1)
    rows = policy.sample(PROMPTS, 4, seed=3)
    values = policy.value(rows).detach()
    i = max(range(len(rows)), key=lambda i: rows.outputs[i].summaries)
    context, tokens, begin = pieces(policy, rows, i)[-1]
    with torch.no_grad():
        hidden = policy.language.causal.base_model(torch.tensor([context])).last_hidden_state[0, -1]
    assert rows.outputs[i].summaries > 1 and len(tokens) > 1
    assert_close(values[i, begin], 0.1 * hidden.sum().to(values.dtype), atol=1e-6, rtol=0)


def test_what_was_summed_up_can_be_demonstrated(drawn):
    """A transcript as an answer gives the row it was taken from."""
    policy, rows = drawn
    said = [[m for m in output.messages if m.own] for output in rows.outputs]  # "<bos>" holds a stop string
    kept = [i for i, own in enumerate(said) if not any(m.tokens == 9 or "<" in m.content for m in own)]
    told = [
        replace(
            rows.problems[i],
            answer=[{"role": m.role, "content": m.content} for m in rows.outputs[i].messages if m.role != "window"],
        )
        for i in kept
    ]
    taught = policy.demonstrate(told, 0)
    assert len(kept) > 2 and max(rows.outputs[i].summaries for i in kept) > 0
    width, count = taught.mask.shape[1], taught.trace["context"].shape[1]
    for name, values in (
        ("completion", rows.trace["completion"][kept][:, :width]),
        ("begins", rows.trace["begins"][kept][:, :count]),
    ):
        assert torch.equal(taught.trace[name], values)
    assert torch.equal(taught.mask, rows.mask[kept][:, :width])
    assert_close(taught.logp_old, rows.logp_old[kept][:, :width], atol=1e-9, rtol=0)
    assert [o.messages for o in taught.outputs] == [rows.outputs[i].messages for i in kept]
    with pytest.raises(UserError, match="its answer has a summary, and the window none"):
        conversation(Window()).demonstrate(told[:1] if rows.outputs[kept[0]].summaries else told, 0)


def test_a_chat_template_writes_the_contexts():
    """What the template writes of the task, a summary as the assistant's and what follows it as the user's."""
    alone = language(chat=True, context=400, max_new_tokens=3, stop=list("abcdehponset"))
    asked = [Problem(0, [{"role": "user", "content": "abc"}])]
    policy = Conversation(alone, Answers("tool"), turns=9, window=Window(230, 2, asks="any", goes_on="on"))
    policy.check(asked)
    rows, met = policy.sample(asked, 24, seed=4), 0
    write, decode = alone.tokenizer.apply_chat_template, alone.tokenizer.decode
    for i, output in enumerate(rows.outputs):
        summaries = [message for message in output.messages if message.role == "summary"]
        for j, summary in enumerate(summaries):
            context = rows.trace["context"][i, j, : rows.trace["context_length"][i, j]].tolist()
            said = [
                *asked[0].input,
                {"role": "assistant", "content": summary.content},
                {"role": "user", "content": "on"},
            ]
            assert decode(context) == write(said, tokenize=False, add_generation_prompt=True)
            met += 1
        asking = "</tool_response><|im_end|>\n<|im_start|>user\nany<|im_end|>\n<|im_start|>assistant\n"
        assert (asking in decode(rows.trace["completion"][i])) == bool(summaries)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert met > 3


def test_windows_that_make_no_sense():
    for tokens, summaries in ((0, 1), (40, -1)):
        with pytest.raises(UserError, match="a window has tokens and room for summaries"):
            Window(tokens, summaries)
    for window in (Window(16), Window(29, 2, "?", "ah")):  # the longest prompt has 8 tokens, a turn 9, "ah" 4
        with pytest.raises(UserError, match="do not fit in a window of"):
            conversation(window).sample(PROMPTS, 1, seed=0)
        with pytest.raises(UserError, match="problem 2 of task/train: its prompt of 8 tokens"):
            conversation(window).check(PROMPTS)
        conversation(replace(window, tokens=window.tokens + 1)).check(PROMPTS)
    alone = language(chat=True, context=400)
    no = "{% if messages[-1]['role'] == 'user' and messages|length > 2 %}{{ raise_exception('no') }}{% endif %}"
    alone.tokenizer.chat_template = no + "{{ messages[-2]['content'] if messages|length > 1 }}abc"
    asked = [Problem(7, [{"role": "user", "content": "abc"}])]
    Conversation(alone, Answers()).check(asked)
    with pytest.raises(UserError, match="problem 7 of task/train: the chat template cannot write"):
        Conversation(alone, Answers(), window=SEES).check(asked)


def test_room_for_a_row(drawn):
    limited = Conversation(language(context=200), Answers(), 10, max_tokens=60, window=SEES)
    rows = limited.sample(PROMPTS, 8, seed=3)
    assert rows.mask.shape[1] <= 60 < drawn[1].mask.shape[1]


def letters_said(problems, outputs):
    return [sum(len(set(message.content)) for message in output.messages) / 10 for output in outputs]


def trainer(rows=None, method=None):
    return Trainer(
        conversation(turns=5), method or supo(beta=0.1, epochs=2, minibatches=2), Asked(), letters_said,
        prompts=4, group=2, rows=rows, lr=0.3, optimizer=torch.optim.SGD,
    )  # fmt: skip


def test_micro_batches_change_nothing():
    whole, three = (trainer(rows, supo(beta=0.1)) for rows in (None, 3))
    start = weights(whole).clone()
    logs = [t.step() for t in (whole, three)]
    assert logs[0]["ratio/first"] < 1e-9
    assert (weights(whole) - start).abs().max() > 1e-3
    # a Llama's norm works in float32 whatever its weights are, and the passes differ in width
    assert_close(weights(three), weights(whole), atol=1e-6, rtol=0)


def test_a_stopped_run_goes_on_bit_for_bit():
    straight, file = trainer(), io.BytesIO()
    straight.advance()
    straight.advance()  # inside the passes over the batch
    torch.save(straight.state_dict(), file)
    list(straight.run(2))
    resumed = trainer()
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    list(resumed.run(2))
    assert torch.equal(weights(resumed), weights(straight))


def test_supo_without_summaries_is_grpo():
    """But for the population's deviation, and for rows that are cut off by their turns."""

    class Thrice(Answers):
        def respond(self, problems, transcripts):
            answers = super().respond(problems, transcripts)
            return [answer if len(said) < 5 else [] for answer, said in zip(answers, transcripts, strict=True)]

    def finished(method, window, turns=3):
        t = trainer(method=method)
        t.policy.window, t.policy.turns, t.policy.dialogue = window, turns, Thrice()
        list(t.run(1))
        return weights(t)

    plain = grpo(beta=0.0)
    plain = replace(plain, advantage=per_group(lambda rewards: zscore(rewards, correction=0)))
    alone = finished(plain, Window())
    assert torch.equal(alone, finished(supo(), Window(200, 3)))
    assert not torch.equal(alone, finished(supo(), replace(SEES, tokens=30)))
    assert not torch.equal(finished(plain, Window(), 2), finished(supo(), Window(), 2))


def test_reply_is_the_user_s():
    codec = language(chat=True).codec
    asked = Problem(0, [{"role": "user", "content": "abc"}])
    same = [reply(codec, asked, [Message(role, "any")], "") for role in ("window", "user")]
    assert same[0] == same[1]


def test_pages():
    pages, problem = Pages(more="n", end="?", stop=";"), Problem(0, ":", columns={"pages": ["ab", "c"]})
    said, heard = [], []
    for word in ("n;", "n", "n;", "n;", "x;"):
        said.append(Message("assistant", word, 2))
        answer = pages.respond([problem, problem], [said, said[:1]])
        assert answer[1] == ([Message("user", "ab")])
        heard.append([m.content for m in answer[0]])
        said += answer[0]
    assert heard == [["ab"], ["c"], ["?"], ["?"], []]
