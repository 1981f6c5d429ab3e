"""Rows drawn ahead: whose weights drew them, what they earn meanwhile, a run that stops and goes on."""

import io
import threading
import time
import warnings

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages.correction import decoupled
from rlft.methods.dapo import dapo
from rlft.methods.grpo import grpo
from rlft.methods.rloo import rloo
from rlft.methods.sft import sft
from rlft.training.ahead import in_background
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table, agreement


def trainer(ahead=2, method=None, reward=agreement, **settings):
    method = decoupled(grpo(beta=0.1, epochs=2, minibatches=2)) if method is None else method
    told = {"prompts": 4, "group": 4, "lr": 0.1, "seed": 3, "watch_kl": True, "ahead": ahead, **settings}
    return Trainer(Table(), method, Cards(), reward, **told)


def weights(t):
    return torch.cat([p.detach().flatten() for p in t.policy.parameters()])


def timeless(line):
    return {k: v for k, v in line.items() if not k.startswith(("seconds", "decisions_per"))}


def test_rows_are_those_of_the_weights_of_so_many_steps_before():
    """Step n takes what the weights of step max(n - 2, 0) draw for its problems, from the same noise."""
    t, history, lags = trainer(ahead=2), [], []
    for step in range(5):
        history.append(weights(t).clone())
        t.advance()
        rows, version = t.pending, max(step - 2, 0)
        assert rows.column("version").tolist() == [version] * 16
        then = Table()
        torch.nn.utils.vector_to_parameters(history[version].clone(), then.parameters())
        asked = [rows.problems[place] for place in range(0, 16, 4)]
        again = then.sample(asked, 4, 3)
        assert torch.equal(again.trace["actions"], rows.trace["actions"])
        drawn = rows.column("logp_drawn") if version < step else rows.logp_old
        assert_close(drawn, again.logp_old, atol=1e-12, rtol=0)
        assert_close(rows.logp_old, t.policy.log_prob(rows).detach() * rows.mask, atol=1e-12, rtol=0)
        lags.append(t.step()["version/lag"])
    assert lags == [0, 1, 2, 2, 2]
    synchronous = trainer(ahead=0)
    indices = [synchronous.stream.take(4) for _ in range(5)]
    assert [p.index for p in indices[4]] == [rows.problems[place].index for place in range(0, 16, 4)]


def test_the_weight_of_a_row_is_what_has_happened_since_it_was_drawn():
    plain, weighed = (trainer(ahead=1, method=m) for m in (rloo(), decoupled(rloo(), most=1e9)))
    plain.step(), weighed.step()
    plain.advance(), weighed.advance()
    rows = weighed.pending
    assert torch.equal(plain.pending.logp_old, rows.column("logp_drawn")), "no ratio is touched without a correction"
    ratio = torch.where(rows.mask, rows.logp_old - rows.column("logp_drawn"), 0).exp()
    assert_close(rows.advantages, plain.pending.advantages * ratio, atol=1e-12, rtol=0)
    assert (ratio[rows.mask] - 1).abs().max() > 0.05
    line = weighed.step()
    assert line["ratio/first"] == 0 and line["staleness"] > 1e-4 and line["staleness/largest"] > 0.05
    assert plain.step()["ratio/first"] > 0.05


def test_ahead_of_nothing_is_a_run_without():
    one, other = trainer(ahead=0), trainer(ahead=0, method=grpo(beta=0.1, epochs=2, minibatches=2))
    lines = [[timeless(line) for line in t.run(3)] for t in (one, other)]
    assert lines[0] == lines[1] and torch.equal(weights(one), weights(other))
    assert "version/lag" not in lines[0][0]
    assert "ahead" not in one.state_dict()["own"]


def test_twice_is_bit_equal_whatever_takes_how_long():
    def dawdling(pause):
        def reward(problems, outputs):
            time.sleep(pause[problems[0].index % 3])
            return agreement(problems, outputs)

        return reward

    one, other = trainer(reward=dawdling((0, 0.03, 0.01))), trainer(reward=dawdling((0.03, 0, 0)))
    assert [timeless(line) for line in one.run(5)] == [timeless(line) for line in other.run(5)]
    assert torch.equal(weights(one), weights(other))


def saved(t):
    """Through the bytes of a file, read without running code."""
    file = io.BytesIO()
    torch.save(t.state_dict(), file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def noted(problems, outputs):
    return {"tokens": sum(map(len, outputs)) / len(outputs)}


def test_a_run_goes_on_from_every_place():
    straight, states = trainer(measures=[noted]), []
    log = []
    while straight.steps_done < 4:
        line = straight.advance()
        log += [] if line is None else [line]
        states.append((len(log), saved(straight)))
    for done, state in states:
        other = trainer(measures=[noted])
        other.load_state_dict(state)
        rest = [timeless(line) for line in other.run(4)]
        assert rest == [timeless(line) for line in log[done:]]
        assert torch.equal(weights(other), weights(straight))
    assert len(states) == 20


def test_a_reward_that_remembers_is_asked_in_order_and_comes_back():
    class Counting:
        """Pays more each time; two at once would be seen."""

        def __init__(self):
            self.calls, self.inside = 0, 0

        def __call__(self, problems, outputs):
            self.inside += 1
            assert self.inside == 1
            time.sleep(0.002)
            self.calls += 1
            self.inside -= 1
            return [one * self.calls for one in agreement(problems, outputs)]

        def state_dict(self):
            return {"calls": self.calls}

        def load_state_dict(self, state):
            self.calls = state["calls"]

    straight = trainer(reward=Counting())
    log = list(straight.run(2))
    state = saved(straight)
    assert state["shared"]["parts"]["reward"] == {"calls": 4}, "two steps, and two that wait"
    log += straight.run(4)
    other = trainer(reward=Counting())
    other.load_state_dict(state)
    assert [timeless(line) for line in other.run(4)] == [timeless(line) for line in log[2:]]


def test_rewards_are_given_while_the_step_learns():
    """The reward of the rows that wait begins before the update and is not waited for before their turn."""
    here, began = threading.get_ident(), []
    go = threading.Event()

    def reward(problems, outputs):
        began.append(threading.get_ident())
        assert not torch.is_grad_enabled()
        if len(began) > 1:
            go.wait(10)
        return agreement(problems, outputs)

    t = trainer(ahead=1, reward=reward)
    t.step()  # the rewards of step 2 are still to come
    assert len(began) == 2 and here not in began
    assert not t.ahead.waiting[0].found.done()
    go.set()
    assert t.step()["step"] == 2


def test_a_reward_that_fails_ends_the_run_when_its_turn_comes():
    def reward(problems, outputs):
        if 5 in (problem.visit for problem in problems):
            raise ZeroDivisionError("no")
        return agreement(problems, outputs)

    t = trainer(ahead=1, reward=reward, prompts=64)
    assert len(list(t.run(4))) == 4
    with pytest.raises(UserError, match="the reward raised ZeroDivisionError: no"):
        list(t.run(6))


def test_rows_that_cannot_be_scored_leave_their_turn_to_the_next():
    calls = []

    def reward(problems, outputs):
        calls.append(0)
        return [None] * len(outputs) if problems[0].index == third else agreement(problems, outputs)

    third = trainer().stream.take(12)[8].index
    t = trainer(ahead=1, reward=reward, method=rloo())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = list(t.run(4))
    assert [line["version/lag"] for line in lines] == [0, 1, 0, 1]  # the third step took what the third had drawn
    assert [line.get("draws/skipped", 0) for line in lines] == [0, 0, 1, 0]
    assert len(t.ahead.waiting) == 1


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"ahead": -1}, "0 to 16; got -1"),
        ({"ahead": 17}, "0 to 16; got 17"),
        ({"ahead": 1, "method": dapo()}, "method dapo demonstrates, or chooses its rows by what they have earned"),
        ({"ahead": 1, "method": sft()}, "method sft demonstrates"),
    ],
)
def test_what_cannot_be_drawn_ahead_is_refused(told, message):
    with pytest.raises(UserError, match=message):
        trainer(**told)


def test_a_state_of_another_distance_is_refused():
    t = trainer(ahead=2)
    t.step()
    with pytest.raises(UserError, match="2 steps ahead, and this run draws 1 ahead"):
        trainer(ahead=1).load_state_dict(saved(t))
    trainer(ahead=1).load_state_dict(saved(trainer(ahead=2)))  # before the first step there is nothing that differs


def test_an_engine_keeps_what_it_drew_with():
    """Rows that another engine drew have `logp_drawn` already: the weight is then for both."""
    t = trainer(ahead=1, method=decoupled(rloo(), most=1e9))
    draw = t.policy.sample
    t.policy.sample = lambda *told: (lambda rows: rows.fill(logp_drawn=rows.logp_old - 0.5 * rows.mask))(draw(*told))
    t.step()
    t.advance()
    rows, own = t.pending, t.pending.mask
    mine = t.policy.log_prob(rows).detach()
    assert_close(rows.column("weight")[own], (mine - rows.column("logp_drawn")).exp()[own])
    since = mine - rows.column("logp_drawn") - 0.5  # what the weights have moved by, beside the engine's half a nat
    assert since[own].abs().max() > 0.05 and rows.column("weight")[own].mean() > 1.5


def test_what_a_thread_raises_is_raised_where_it_is_waited_for():
    order = []
    slow = in_background(lambda: (time.sleep(0.03), order.append("slow")))
    quick = in_background(lambda: order.append("quick"), after=slow)
    quick.result(5)
    assert order == ["slow", "quick"]
    with pytest.raises(KeyError):
        in_background(lambda: {}["a"]).result(5)
