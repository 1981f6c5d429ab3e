"""Corrections of failed rows: what is asked, how replies are read, what is imitated and what not, by hand."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.interventions import ASKED, Wording, interventions, proposed
from rlft.methods.grpo import grpo
from rlft.methods.int_grpo import int_grpo
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from rlft.worlds.characters import blank
from tests.collect.test_hardest import trainer, weights

WORDING = Wording("{prompt}{attempt}/{reference}?", ";", "=")


def test_what_is_asked():
    problem = Problem(3, "1+1+{x}?", "4", demonstration="{steps}", visit=2)
    asked = WORDING.question(problem, "2;3;=3")
    assert asked.input == "1+1+{x}?2;3;=3/{steps}?"  # what is said is not read again
    assert asked.key == ("task/intervention", "train", 3, 2) and asked.lesson == "4"
    numbered = Wording("{steps}|{prompt}", ";").question(problem, "2;3;=3")
    assert numbered.input == "Step 1: 2\nStep 2: 3\nStep 3: =3|1+1+{x}?"
    chat = replace(problem, input=[{"role": "system", "content": "s"}, {"role": "user", "content": "q"}])
    told = WORDING.question(chat, "2").input
    assert told == [{"role": "system", "content": "s"}, {"role": "user", "content": "q2/{steps}?"}]
    with pytest.raises(UserError, match="in words alone"):
        WORDING.question(replace(chat, input=[{"role": "user", "content": [{"type": "image"}]}]), "2")
    assert all(name in ASKED for name in ("{prompt}", "{reference}", "{steps}"))


@pytest.mark.parametrize(
    ("reply", "correction"),
    [
        ("2:b4", ("a1;", "b4;")),
        ("1:a3", ("", "a3;")),
        ("  Step 2:  b4 ", ("a1;", "b4;")),
        ("step 1: a9\nno, rather\n**Step 2: b4", ("a1;", "b4;")),  # the last is meant
        ("2:b4;c5", ("a1;", "b4;")),  # one step
        ("2:b2", None),  # as it stands there
        ("4:d4", None),
        ("0:d4", None),
        ("3:=7", None),  # gives the answer away
        ("b4", None),
        ("2:", None),
        ("", None),
    ],
)
def test_how_a_reply_is_read(reply, correction):
    assert WORDING.read("a1;b2;=2", reply) == correction


def test_a_step_may_have_several_lines_where_they_do_not_end_it():
    wording = Wording()
    reply = "Looking at it:\n\nStep 2: y is 2,\nso z is 3.\n\nThat is all."
    assert wording.read("x is 1\n\ny is 3\n\n\\boxed{3}", reply) == ("x is 1\n\n", "y is 2,\nso z is 3.\n\n")
    assert wording.read("x is 1\n\ny is 3", "Step 1: \\boxed{2}") is None
    with pytest.raises(UserError, match="between"):
        Wording(between="")


class Asked:
    """Six questions; the last but one has no reference."""

    name, split, size = "asked", "train", 6

    def at(self, index):
        return Problem(index, f"q{index}", None if index == 4 else "7", demonstration=None if index == 4 else "c9=7")


ATTEMPTS = {0: "a1;b2;=2", 1: "a1;=7", 2: "a3;b3;=3", 3: "b1;=1", 4: "a1;=1", 5: "b2;b2;=4"}
REPLIES = {0: "2:c9", 2: "1:a1", 3: "no", 5: "2:b4"}
MADE = {0: ("a1;", "c9;"), 2: ("", "a1;"), 5: ("b2;", "b4;")}


def right(problems, outputs):
    return [float(str(output).endswith("=7")) for output in outputs]


def scripted(replies=REPLIES):
    """A model whose attempts and replies are given, both rows of a group alike."""
    policy = blank("abcq0123456789=;:/?no", 12, width=8, layers=1, context=48).double()
    policy.asked = []

    def sample(problems, group, seed):
        if all(problem.task.endswith("/intervention") for problem in problems):
            policy.asked += [problem.input for problem in problems]
            said = [replies[problem.index] for problem in problems]
            return policy.demonstrate([replace(p, demonstration=t) for p, t in zip(problems, said, strict=True)], 0)
        rows = [replace(p, demonstration=ATTEMPTS[p.index]) for p in problems for _ in range(group)]
        asked = tuple(problem for problem in problems for _ in range(group))
        return replace(policy.demonstrate(rows, seed), problems=asked, group=group)

    policy.sample = sample
    return policy


def learner(method, policy, reward=right, **told):
    wanted = {"prompts": 6, "group": 2, "lr": 0.1, "max_grad_norm": 1e9, "seed": 1, **told}
    return Trainer(policy, method, Asked(), reward, **wanted)


def collected(prefix="learned", tried=0, reward=right, replies=REPLIES):
    t = learner(replace(grpo(beta=0.0)), scripted(replies), reward)
    rows = interventions(2, proposed(WORDING), prefix, tried)(t)
    return t, rows


def test_what_is_demonstrated():
    t, rows = collected()
    assert len(t.policy.asked) == 4  # question 1 is solved, question 4 has no reference
    assert "q0a1;b2;=2/c9=7?" in t.policy.asked
    assert t.notes == {"interventions/failed": 4, "interventions/read": 3, "interventions/kept": 3}
    places = {problem.index: row for row, problem in enumerate(rows.problems)}
    assert sorted(places) == [0, 2, 5] and rows.column("demonstrated").all()
    order = [t.stream.task.at(index).index for index in (p.index for p in rows.problems)]
    assert order == [p.index for p in rows.problems]
    codec = t.policy.tokenizer
    for index, row in places.items():
        kept, step = MADE[index]
        tokens = rows.trace["completion"][row][rows.mask[row]].tolist()
        assert codec.decode(tokens) == kept + step  # not its end, and nothing after it
    assert rows.rewards.isnan().all() and len(set(rows.position.tolist())) == 3
    assert rows.position.max() < 6 and rows.group == 2


def test_the_prefix_may_be_given():
    t, rows = collected("given")
    told = {
        problem.index: t.policy.tokenizer.decode(rows.trace["completion"][row][rows.mask[row]].tolist())
        for row, problem in enumerate(rows.problems)
    }
    assert told == {index: step for index, (_, step) in MADE.items()}
    assert_close(rows.logp_old == 0, ~rows.mask, rtol=0, atol=0)


def test_of_which_a_continuation_is_right():
    """Those that go on from `b4;` alone are right, whatever they go on with."""

    def fruitful(problems, outputs):
        return [float("b4;" in output or output.endswith("=7")) for output in outputs]

    t, rows = collected(tried=3, reward=fruitful)
    assert [problem.index for problem in rows.problems] == [5] and t.notes["interventions/kept"] == 1
    assert int(t.ledger.sums["rows/drawn"][0]) == 12 + 9


@pytest.mark.parametrize("prefix", ["learned", "given"])
def test_what_is_learned(prefix):
    """The mean of -log p over kept and step, or the step alone; and nothing where nothing is proposed."""
    told = {"asked": WORDING.asked, "between": ";", "concluding": "=", "prefix": prefix}
    policy = scripted()
    t = learner(int_grpo(1, **told), policy)
    texts = [MADE[index] for index in (0, 2, 5)]
    problems = [replace(Asked().at(i), demonstration="".join(MADE[i])) for i in (0, 2, 5)]
    rows = policy.demonstrate(problems, 0)
    first = torch.tensor([len(kept) if prefix == "given" else 0 for kept, _ in texts])[:, None]
    last = torch.tensor([len(kept + step) for kept, step in texts])[:, None]
    place = torch.arange(rows.mask.shape[1])
    own = (place >= first) & (place < last)
    by_hand = -rows.logp_old[own].mean()
    metrics = t.step()
    assert metrics["loss/demonstrations"] == pytest.approx(float(by_hand), abs=1e-9)
    assert "loss" not in metrics and metrics["interventions/kept"] == 3
    nothing = learner(int_grpo(1, **told), scripted(dict.fromkeys(REPLIES, "no")))
    start = [weight.clone() for weight in nothing.policy.parameters()]
    assert nothing.step()["updates"] == 0
    assert all(torch.equal(a, b) for a, b in zip(start, nothing.policy.parameters(), strict=True))


def test_an_attempt_that_is_too_long_to_be_shown_is_left():
    long = Wording("{prompt}{attempt}" + "a" * 60, ";", "=")
    t = learner(grpo(beta=0.0), scripted())
    interventions(1, proposed(long))(t)
    assert t.policy.asked == [] and t.notes["interventions/read"] == 0 and t.notes["interventions/failed"] == 4


def test_then_it_is_grpo_and_without_a_first_stage_draw_for_draw():
    plain, both = trainer(grpo(beta=0.0)), trainer(int_grpo(taught=0))
    for _ in range(3):
        plain.step(), both.step()
        assert torch.equal(weights(plain), weights(both))
    with pytest.raises(UserError, match="at least 0"):
        interventions(-1, proposed(WORDING))
