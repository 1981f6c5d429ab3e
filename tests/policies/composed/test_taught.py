"""A student and its teacher: distances, what is trained and saved, and that training takes them together."""

import pytest
import torch
from torch.testing import assert_close

from rlft.errors import UserError
from rlft.methods.on_policy_distillation import on_policy_distillation
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.composed.taught import Taught, distance_to_teacher
from rlft.policies.language.policy import Language
from rlft.tasks.arithmetic import Arithmetic
from rlft.training.trainer import Trainer

TOKENS = character_tokenizer("0123456789+=")


def model(seed, tokens=TOKENS, **told):
    return Language(
        small_llama(len(tokens), 16, 1, 2, context=24, seed=seed), tokens, max_new_tokens=5, **told
    ).double()


def unlike(student=None):
    """A pair that is far apart: the teacher's head is four times as sure of itself."""
    teacher = model(1)
    with torch.no_grad():
        teacher.causal.lm_head.weight.mul_(4.0)
    return Taught(student or model(0), teacher)


def trainer(policy, **told):
    settings = {"prompts": 4, "group": 2, "lr": 0.5, "optimizer": lambda p, lr: torch.optim.SGD(p, lr), **told}
    return Trainer(policy, on_policy_distillation(), Arithmetic(), lambda p, o: [0.0] * len(o), **settings)


def test_distances_are_those_of_plain_forwards_at_temperature_1_and_without_cuts():
    policy = unlike(model(0, temperature=0.5, top_k=3))
    rows = policy.sample([Arithmetic().at(index) for index in range(3)], 2, seed=0)
    found = policy.distance(rows)
    assert found.shape == rows.mask.shape and not found[~rows.mask].any()
    student, (teacher,) = policy.student, policy.teacher
    for row in (0, 5):
        length = int(rows.trace["prompt_length"][row])
        tokens = torch.cat([rows.trace["prompt"][row, :length], rows.trace["completion"][row]])[None]
        p, q = (m.causal(tokens).logits[0].softmax(-1) for m in (student, teacher))
        expected = (p * (p / q).log()).sum(-1)[length - 1 : -1]
        assert_close(found[row][rows.mask[row]], expected[: rows.mask.shape[1]][rows.mask[row]], atol=1e-10, rtol=0)
    mean = float(found.detach().sum() / rows.mask.sum())
    assert distance_to_teacher(policy, [Arithmetic().at(i) for i in range(3)], 2) == pytest.approx({"teacher/kl": mean})


def test_micro_batches_change_nothing_and_the_teacher_stays():
    whole, cut, budget = (trainer(unlike(), **told) for told in ({}, {"rows": 3}, {"budget": 24}))
    before = {name: weight.clone() for name, weight in whole.policy.teacher[0].state_dict().items()}
    logs = [list(one.run(2)) for one in (whole, cut, budget)]
    for name, weight in whole.policy.state_dict().items():
        assert_close(cut.policy.state_dict()[name], weight, atol=1e-12, rtol=0)
        assert_close(budget.policy.state_dict()[name], weight, atol=1e-12, rtol=0)
    assert all(torch.equal(weight, before[name]) for name, weight in whole.policy.teacher[0].state_dict().items())
    assert logs[0][0]["teacher/kl"] == pytest.approx(logs[1][0]["teacher/kl"], abs=1e-12) != 0
    assert not [name for name in whole.policy.state_dict() if name.startswith("teacher")]


def test_they_come_together():
    policy = unlike()
    problems = [Arithmetic().at(index) for index in range(100, 108)]
    before = distance_to_teacher(policy, problems)["teacher/kl"]
    log = list(trainer(policy, prompts=8, optimizer=torch.optim.Adam, lr=0.02).run(40))
    after = distance_to_teacher(policy, problems)["teacher/kl"]
    assert after < 0.3 * before and log[-1]["teacher/kl"] < 0.3 * log[0]["teacher/kl"]


def test_one_that_is_its_own_teacher_stays():
    policy = Taught(model(0), model(0))
    t = trainer(policy)
    start = {name: weight.clone() for name, weight in policy.state_dict().items()}
    assert t.step()["teacher/kl"] == pytest.approx(0.0, abs=1e-15)
    assert all(torch.allclose(weight, start[name], atol=1e-15) for name, weight in policy.state_dict().items())


def test_other_tokens_and_another_teacher_are_seen():
    with pytest.raises(UserError, match=r"reads other tokens than the student: \d+ of 15 and 16 differ.*one tokenizer"):
        Taught(model(0), model(1, character_tokenizer("0123456789+=a")))
    first, again, other = Taught(model(0), model(1)), Taught(model(0), model(1)), Taught(model(0), model(2))
    assert torch.equal(first.hashed, again.hashed) and not torch.equal(first.hashed, other.hashed)


def test_what_is_saved_is_the_student(tmp_path):
    policy = unlike()
    policy.save(tmp_path / "model")
    loaded = Language.load(tmp_path / "model", dtype="float64")
    for name, weight in policy.student.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight)
