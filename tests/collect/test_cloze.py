"""Two kinds of groups in one batch: what is asked of whom, what is earned, who is learned from, by hand."""

import io
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import zscore
from rlft.collect.cloze import Pay, by_entropy, by_lot, first_then, predicted, proposed, unlike
from rlft.collect.masks import Masking, Span
from rlft.methods.dapo import dapo
from rlft.methods.pretrain_zero import pretrain_zero
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from rlft.worlds.characters import blank
from tests.collect.test_hardest import weights

MASKING = Masking("{text}?", "{text}!", "_", r"(\w+)$", r"\w+", 2)
TOLD = {"asked": "{text}?", "predicted_with": "{text}!", "mask": "_", "chosen": r"(\w+)$", "word": r"\w+"}
TEXTS = ("ab cd ab", "ef gh", "ii")
NAN = float("nan")


class Texts:
    name, split, size = "texts", "train", 3

    def at(self, index):
        return Problem(index, TEXTS[index])


def right(problems, outputs):
    return [float(str(output) == problem.answer) for problem, output in zip(problems, outputs, strict=True)]


def model(**shape):
    return blank("abcdefghi ?!_", 3, **{"width": 8, "layers": 1, "context": 32, **shape}).double()


def scripted(said):
    """A model whose replies to each prompt are given."""
    policy = model()
    policy.asked = []

    def sample(problems, group, seed):
        policy.asked += [problem.input for problem in problems]
        rows = [
            replace(p, demonstration=(*said.get(p.input, ()), *["i"] * group)[g])
            for p in problems
            for g in range(group)
        ]
        asked = tuple(problem for problem in problems for _ in range(group))
        return replace(policy.demonstrate(rows, seed), problems=asked, group=group)

    policy.sample = sample
    return policy


def learner(policy, method=None, reward=right, task=None, **told):
    wanted = {"prompts": 3, "group": 3, "lr": 0.05, "seed": 1, "max_grad_norm": 1e9, **told}
    return Trainer(policy, method or pretrain_zero(**TOLD), task or Texts(), reward, **wanted)


def test_what_a_span_earns():
    """G = 4, so many right: (G - 1)/G at most, at exactly one."""
    rewards = torch.tensor([[float(g < hits) for g in range(4)] for hits in range(5)])
    assert Pay().of(rewards).tolist() == [0, 0.75, 0.5, 0.25, 0]
    assert Pay("paid").of(rewards).tolist() == [1, 0.75, 0.5, 0.25, 0]
    # what could not be scored is passed over; what is right is told by the threshold, also of other numbers
    odd = torch.tensor([[1.5, NAN, 0.2, 0.9], [NAN] * 4, [NAN, 0.0, 0.0, 0.0]])
    assert_close(Pay().of(odd), torch.tensor([2 / 3, NAN, 0.0]), equal_nan=True, rtol=0, atol=1e-7)
    assert_close(Pay(solved=2.0).of(odd)[0].item(), 0.0)
    assert_close(Pay(solved=0.2).of(odd)[0].item(), 0.0)


SAID = {
    "ab cd ab?": ["ab", "cd", "hi"],
    "ef gh?": ["gh", "ef", "gh"],
    "ii?": ["ii", "", "i"],
    "_ cd _!": ["ab", "ef", "ab"],
    "ab _ ab!": ["ab", "ab", "a"],
    "ef _!": ["gh", "gh", "gh"],
    "_ gh!": ["ef", "gh", ""],
    "_!": ["i", "ii", "i"],
}


def test_who_is_asked_what():
    t = learner(scripted(SAID))
    rows = proposed(MASKING)(t)
    order = [t.task.at(problem.index).index for problem in rows.problems[:9:3]]  # as the stream has them
    asked = [f"{TEXTS[index]}?" for index in order]
    masked = {0: ["_ cd _!", "ab _ ab!"], 1: ["ef _!", "_ gh!", "ef _!"], 2: ["_!"]}
    assert t.policy.asked == asked + [question for index in order for question in masked[index]]
    assert len(rows) == 9 + 18 and rows.group == 3 and rows.position.tolist() == list(range(27))
    assert t.notes["masks/valid"] == 6 / 9 and t.notes["masks/asked"] == 6
    keys = {problem.key for problem in rows.problems}
    assert len(keys) == 3 + 6  # noise of its own for every prompt, also for one that is asked twice


def test_what_they_earn():
    """Spans: 1 - 2/3; 0 of one nobody gets; 0 of what is no span; 0 of one all get; 1 - 1/3."""
    t = learner(scripted(SAID))
    rows = proposed(MASKING, Pay(invalid=-1.0))(t)
    earned = {rows.problems[i].index: rows.rewards[i : i + 3].tolist() for i in range(0, 9, 3)}
    third = pytest.approx(1 / 3)
    assert earned == {0: [third, 0, -1], 1: [0, pytest.approx(2 / 3), 0], 2: [pytest.approx(2 / 3), -1, -1]}
    answers = {p.input: rows.rewards[9 + i : 12 + i].tolist() for i, p in enumerate(rows.problems[9:]) if i % 3 == 0}
    assert answers == {
        "_ cd _!": [1, 0, 1],
        "ab _ ab!": [0, 0, 0],
        "ef _!": [1, 1, 1],
        "_ gh!": [1, 0, 0],
        "_!": [0, 1, 0],
    }
    assert t.notes["masks/predicted"] == pytest.approx(5 / 6)
    assert t.notes["masks/paid"] == pytest.approx((1 / 3 + 0 + 0 + 2 / 3 + 0 + 2 / 3) / 6)
    paid = proposed(MASKING, Pay("paid"))(learner(scripted(SAID)))
    assert [paid.rewards[i + 1].item() for i in range(0, 9, 3) if paid.problems[i].index == 0] == [1.0]


def test_groups_are_normalised_each_by_itself_and_flat_ones_left_out():
    t = learner(scripted(SAID))
    t.advance()
    rows = t.pending
    assert t.notes["groups/used"] == pytest.approx(6 / 9)  # not those of `ab _ ab!` and twice `ef _!`
    assert len(rows) == 18 and rows.position.tolist() == list(range(18))
    groups = rows.rewards.reshape(-1, 3)
    assert_close(rows.advantages[:, 0].reshape(-1, 3), zscore(groups).to(rows.advantages), rtol=0, atol=1e-6)
    # of a group they add up to nothing, so what a span earns cannot be minus the mean of its predictions' advantages
    assert rows.advantages[:, 0].reshape(-1, 3).sum(1).abs().max() < 1e-6
    kept = learner(scripted(SAID), pretrain_zero(flat="kept", **TOLD))
    kept.advance()
    assert len(kept.pending) == 27


def test_a_step_without_a_span_learns_nothing():
    t = learner(scripted({}))
    before = weights(t)
    rows = proposed(MASKING)(t)
    assert len(rows) == 9 and rows.rewards.tolist() == [0.0] * 9 and t.notes["masks/asked"] == 0
    metrics = t.step()
    assert torch.equal(weights(t), before) and metrics["groups/used"] == 0 and metrics["masks/valid"] == 0


class Fixed:
    """The same questions, written down."""

    def __init__(self, told):
        self.told, self.name, self.split, self.size = told, "texts", "train", len(told)

    def at(self, index):
        return self.told[index]


class Many:
    name, split, size = "texts", "train", 9

    def at(self, index):
        return Problem(index, " ".join("abcdefghi"[(index * step + 2) % 9] * 2 for step in (1, 2, 4)))


def test_a_random_chooser_is_dapo_on_questions_that_are_written_down():
    """Bit for bit over three steps: the same rows, the same weights."""
    texts, source = Many(), learner(model())
    told = [
        MASKING.prediction(texts.at(index), by_lot(MASKING, 1)(source, [texts.at(index)])[0][0], 0)
        for index in range(9)
    ]
    plain = learner(model(), dapo(rounds=1), task=Fixed(told), reward=near)
    masked = learner(model(), pretrain_zero("random", **TOLD), task=texts, reward=near)
    start = weights(plain)
    for one, two in zip(plain.run(3), masked.run(3), strict=True):
        for name in ("reward", "loss", "grad_norm", "rows/drawn", "length"):
            assert one[name] == two[name]
        assert torch.equal(weights(plain), weights(masked)) and not torch.equal(weights(plain), start)
    given = learner(model(), pretrain_zero("given"), task=Fixed(told), reward=near)
    list(given.run(3))
    assert torch.equal(weights(plain), weights(given))


def near(problems, outputs):
    """A reward that a model which has learned nothing gets now and then."""
    return [float(set(str(output)) <= set("abcdef") and len(str(output)) > 0) for output in outputs]


@pytest.mark.parametrize("told", [{}, {"chooser": "entropy"}, {"warmup": 1}])
def test_stop_and_resume_is_the_straight_run(told):
    """At every point, by the bytes of a file. A reply chooses its first letter, also without any sense."""

    def made():
        method = pretrain_zero(**{**TOLD, "chosen": r"(\w)", "word": r"\w", **told})
        return learner(model(), method, near, Many(), group=6)

    straight, states, kinds = made(), [], set()
    while straight.steps_done < 3:
        states.append(file := io.BytesIO())
        torch.save(straight.state_dict(), file)
        straight.advance()
        kinds |= {problem.task.split("-")[0] for problem in (straight.pending.problems if straight.pending else ())}
    assert kinds == {"task/masked"} | ({"task/mask"} if "chooser" not in told else set())
    assert not torch.equal(weights(straight), weights(made()))
    for file in states[1:]:
        file.seek(0)
        resumed = made()
        resumed.load_state_dict(torch.load(file, weights_only=True))
        list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))


def test_by_lot():
    t = learner(model())
    seen = {tuple(by_lot(MASKING, 1)(t, [replace(Problem(0, TEXTS[0]), visit=v)])[0]) for v in range(20)}
    assert seen == {(Span(0, 2),), (Span(3, 5),)}
    assert sorted(by_lot(MASKING)(t, [Problem(0, TEXTS[0])])[0]) == [Span(0, 2), Span(3, 5)]
    assert by_lot(MASKING, 2)(t, [Problem(0, "?")]) == [[]]


def test_by_entropy():
    """The word before one of whose tokens the model is least sure, by a forward of its own."""
    policy = model(seed=3)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(8.0)
    text = "ab cd ef gh ij".replace("j", "i")
    tokens = torch.tensor([policy.tokenizer(text).input_ids])
    logp = policy.causal(tokens).logits[0].log_softmax(-1)
    entropy = -(logp.exp() * logp).sum(-1).detach()  # of what comes after <bos> and so many characters
    unsure = {place: max(entropy[place : place + 2].tolist()) for place in (3, 6, 9, 12)}
    best = sorted(unsure, key=lambda place: -unsure[place])
    t = learner(policy)
    found = by_entropy(MASKING, 3)(t, [Problem(0, text), Problem(1, "ii"), Problem(2, text)])
    assert found[0] == found[2] == [Span(place, place + 2) for place in best[:3]] and found[1] == []


def test_texts_that_are_too_long_are_passed_over():
    class Long(Texts):
        def at(self, index):
            return Problem(index, "ab cd " * (9 if index == 1 else 1))

    t = learner(model(), pretrain_zero("random", **TOLD), task=Long(), prompts=4)
    rows = predicted(by_lot(MASKING, 1), MASKING)(t)
    assert {problem.index for problem in rows.problems} == {0, 2} and len(rows) == 12

    class Longer(Texts):
        def at(self, index):
            return Problem(index, "ab cd " * 9)

    with pytest.raises(UserError, match="of 24 texts the model can read 0"):
        learner(model(), task=Longer()).step()


def test_texts_without_words():
    class Silent(Texts):
        def at(self, index):
            return Problem(index, "!!")

    with pytest.raises(UserError, match="0 words could be masked in 3 texts"):
        learner(model(), pretrain_zero("random", **TOLD), task=Silent()).step()


def test_one_after_the_other():
    t = learner(model())
    both = first_then(2, lambda source: "first", lambda source: "then")
    found = []
    for step in range(4):
        t.steps_done = step
        found.append(both(t))
    assert found == ["first", "first", "then", "then"]


def test_unlike_keeps_their_order():
    said = dict(zip(TEXTS, (["a", "!", "a"], ["!"] * 3, ["!", "b", "!"]), strict=True))
    t = learner(scripted(said), reward=near)
    drawn = [problem.index for problem in t.stream.take(3)]
    t.stream.position = 0
    rows = unlike(lambda source: source.draw(3))(t)
    assert [problem.index for problem in rows.problems[::3]] == [index for index in drawn if index != 1]
    assert rows.position.tolist() == list(range(6)) and t.notes["groups/used"] == pytest.approx(2 / 3)


def test_a_process_of_a_sharded_model_has_rows_that_decide_nothing():
    t = learner(scripted({}))
    t.runtime.lockstep = True
    rows = unlike(lambda source: source.draw(3))(t)
    assert len(rows) == 3 and not rows.mask.any() and rows.position.tolist() == [9, 10, 11]
    before = weights(t)
    t.step()
    assert torch.equal(weights(t), before)


def test_settings_that_cannot_be():
    with pytest.raises(UserError, match="masks counts words"):
        pretrain_zero(masks=0)
    with pytest.raises(UserError, match="warmup"):
        pretrain_zero(warmup=-1)
