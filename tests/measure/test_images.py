"""Digits and points: tasks, base models, rewards and measures, against numbers worked out independently."""

import math
import zlib
from dataclasses import replace

import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn

from rlft.measure.distribution import (
    frechet_distance,
    frechet_of_gaussians,
    grid,
    histogram,
    normalised,
    total_variation,
)
from rlft.measure.images import diversity_within, frechet_to, judge_accuracy, variety_of_right
from rlft.models.denoiser import NoiseHead, ResidualMLP, digits_base, train_denoiser
from rlft.models.digits_judge import Judge, digits_judge
from rlft.models.schedules import EPS, VELOCITY, X0, Cosine, RectifiedFlow
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddpm, ode
from rlft.rewards.images import compressibility, file_size, ink, judge_match, near, offset, target_class
from rlft.tasks.digits import Digits, mislabelled
from rlft.tasks.mixture import Mixture
from rlft.types import Problem, UserError


def asked(*classes):
    return [Problem(index=i, input=c) for i, c in enumerate(classes)]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    return tmp_path


# Digits ------------------------------------------------------------------------------------------------------------


def test_digits_splits_share_no_image():
    train, test = Digits("train"), Digits("test")
    assert (len(train.images), len(test.images)) == (1438, 359)
    seen = {image.numpy().tobytes() for image in train.images}
    assert len(seen) == 1438
    assert not any(image.numpy().tobytes() in seen for image in test.images)
    assert (train.images.min(), train.images.max()) == (-1, 1)
    assert min(test.labels.bincount()) > 20


def test_a_digit_is_a_real_one_of_its_class():
    task = Digits("test")
    problems = [task.at(i) for i in range(300)]
    for problem in problems:
        rows = (task.images == problem.answer).all(dim=(1, 2)).nonzero()[:, 0]
        assert task.labels[rows].tolist() == [problem.input]
    assert min(torch.tensor([p.input for p in problems]).bincount(minlength=10)) > 10
    assert (problems[4].task, problems[4].split, problems[4].index) == ("digits", "test", 4)
    assert torch.equal(Digits("test").at(4).answer, problems[4].answer)
    assert [Digits("train").at(i).input for i in range(20)] != [p.input for p in problems[:20]]
    with pytest.raises(UserError, match="'train' and 'test', not 'valid'"):
        Digits("valid")


def test_mislabelled():
    labels = torch.arange(10).repeat(20)
    wrong = mislabelled(labels, share=0.3, seed=2)
    assert (wrong != labels).sum() == 60
    assert wrong.min() >= 0
    assert wrong.max() <= 9
    assert len(set((wrong - labels)[wrong != labels].remainder(10).tolist())) == 9
    assert torch.equal(mislabelled(labels, 0.0), labels)
    assert not torch.equal(mislabelled(labels, 0.3, seed=3), wrong)


# The mixture -------------------------------------------------------------------------------------------------------


def test_mixture_density_by_hand():
    # two components at (±2, 0), std .5, a class each
    task = Mixture(classes=2, components=2, radius=2.0, std=0.5)
    x = torch.tensor([[2.0, 0.5], [0.0, 0.0]]).double()
    one = math.log(1 / (2 * math.pi * 0.25))
    assert task.log_density(x, 0).tolist() == pytest.approx([one - 0.5, one - 8])
    assert task.log_density(x).tolist()[1] == pytest.approx(one - 8)
    # α = .6, σ = .4: means at ±1.2, variance .09 + .16 = .25
    noised = task.log_density(torch.tensor([1.2, 0.5], dtype=torch.float64), 0, alpha=0.6, sigma=0.4)
    assert noised.item() == pytest.approx(one - 0.5)
    score = task.score(torch.tensor([1.2, 0.5], dtype=torch.float64), 0, alpha=0.6, sigma=0.4)
    assert score.tolist() == pytest.approx([0, -2])


def test_mixture_score_is_the_gradient_and_the_density_adds_up_to_one():
    task = Mixture(classes=4)
    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for label in (None, 2):
        (gradient,) = torch.autograd.grad(task.log_density(x, label, 0.8, 0.6).sum(), x)
        torch.testing.assert_close(task.score(x, label, 0.8, 0.6), gradient)
    cells = grid(-5.0, 5.0, 200)
    for label in (None, 0, 3):
        assert task.log_density(cells, label).exp().sum() * 0.05**2 == pytest.approx(1, abs=1e-9)


def test_mixture_answers_have_its_density():
    task = Mixture("test", classes=4)
    points, labels = task.data(4000)
    assert points.dtype == torch.float32
    assert torch.equal(task.at(17).answer, points[17])
    assert task.at(17).input == labels[17]
    for label in (None, 1):
        chosen = points if label is None else points[labels == label]
        expected = normalised(task.log_density(grid(-3.0, 3.0, 12), label))
        floor = 0.5 * (2 * expected / (math.pi * len(chosen))).sqrt().sum().item()
        found = total_variation(histogram(chosen, -3.0, 3.0, 12), expected)
        assert found < 2 * floor + 0.03  # and cells half as wide as a component add their own error
    other = normalised(task.log_density(grid(-3.0, 3.0, 12), 2))
    assert total_variation(histogram(points[labels == 1], -3.0, 3.0, 12), other) > 0.9
    assert not torch.equal(Mixture("train").data(10)[0], task.data(10)[0])
    assert Mixture(classes=0).at(3).input is None
    for bad in (lambda: Mixture(classes=3), lambda: task.log_density(points, 4), lambda: Mixture("valid")):
        with pytest.raises(UserError):
            bad()


# Rewards -----------------------------------------------------------------------------------------------------------


def test_ink_and_file_size():
    images = torch.stack([torch.full((8, 8), -1.0), torch.full((8, 8), 3.0), torch.zeros(8, 8)])
    images[2, 0, :4] = 1.0  # four of 64
    assert ink(asked(0, 1, 2), images).tolist() == pytest.approx([-1, 1, 4 / 64])
    sizes = file_size(asked(0, 1, 2), images)
    grey = [bytes([0] * 64), bytes([16] * 64), bytes([16] * 4 + [8] * 60)]
    assert sizes.tolist() == [len(zlib.compress(g, 9)) for g in grey]
    assert torch.equal(compressibility(asked(0, 1, 2), images), -sizes)
    noise = 2 * torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    assert file_size(asked(0), noise).item() > 2 * sizes.max()
    # what is less than half a grey level is not there
    assert torch.equal(file_size(asked(0, 1, 2), images.clamp(-1, 1) + 0.06 * noise), sizes)
    # flat images are the same image
    assert torch.equal(ink(asked(0, 1, 2), images.flatten(1)), ink(asked(0, 1, 2), images))
    assert torch.equal(file_size(asked(0, 1, 2), images.flatten(1)), sizes)


def test_judged_rewards():
    logits = torch.tensor([[0.0, math.log(3.0), 0.0], [math.log(2.0), 0.0, 0.0]])
    problems, images = asked(1, 2), torch.zeros(2, 8, 8)
    # 3 of 1+3+1, 1 of 2+1+1
    assert target_class(lambda x: logits)(problems, images).tolist() == pytest.approx([0.6, 0.25])
    assert judge_match(lambda x: logits)(problems, images).tolist() == [1, 0]
    shifted = offset(judge_match(lambda x: logits), by_class=[9.0, -0.5, 0.25])
    assert shifted(problems, images).tolist() == [0.5, 0.25]
    with pytest.raises(UserError, match="problem 0 names no class"):
        judge_match(lambda x: logits)(asked(None, 1), images)


def test_nearness():
    points = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    assert near([0.5, -1.0])(asked(None, None), points).tolist() == pytest.approx([-(0.25 + 9) / 2, 0])


# Measures ----------------------------------------------------------------------------------------------------------


def test_frechet_distance_of_gaussians():
    one = torch.tensor
    # |(1, 2)|² + (2 - 1)² + (3 - 1)²
    found = frechet_of_gaussians(
        one([1.0, 2.0]), torch.diag(one([4.0, 9.0])), one([0.0, 0.0]), torch.diag(one([1.0, 1.0]))
    )
    assert found == pytest.approx(10, abs=1e-12)
    # covariances that do not commute, against scipy's matrix root
    a, b = torch.randn(2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b, zero = a @ a.T, b @ b.T, torch.zeros(5)
    expected = (a.trace() + b.trace()).item() - 2 * sqrtm((a @ b).numpy()).trace().real
    assert frechet_of_gaussians(zero, a, zero, b) == pytest.approx(expected, abs=1e-9)
    # a singular covariance against itself
    assert frechet_of_gaussians(zero, torch.diag(one([1.0, 1, 0, 0, 0])), zero, torch.diag(one([1.0, 1, 0, 0, 0]))) == 0


def test_frechet_distance_of_samples():
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    assert frechet_distance(x, x + torch.tensor([3.0, -1.0])) == pytest.approx(10)
    # deviations √(4/3) and √(16/3), the second set's twice as large
    assert frechet_distance(x, 2 * x) == pytest.approx(1 + 4 + 4 / 3 + 16 / 3)
    with pytest.raises(UserError, match="two samples"):
        frechet_distance(x, x[:1])


def test_total_variation():
    p, q = torch.tensor([0.5, 0.25, 0.25]).double(), torch.tensor([0.25, 0.25, 0.5]).double()
    assert total_variation(p, q) == pytest.approx(0.25)
    assert total_variation(p, torch.tensor([0.5, 0.0, 0.0]).double()) == pytest.approx(0.5)  # the rest lies outside
    # 2 x 2 cells of side 3: (-2, -2) is the first, (-2, 2) the second, (2, -2) the third; one of five lies outside
    points = torch.tensor([[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.5, -0.1], [3.5, 0.0]])
    assert histogram(points, -3.0, 3.0, 2).tolist() == pytest.approx([0.2, 0.2, 0.4, 0])
    assert grid(-3.0, 3.0, 2).tolist() == [[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]]
    assert normalised(torch.tensor([0.0, math.log(3.0)])).tolist() == pytest.approx([0.25, 0.75])


def test_image_measures():
    judge = Judge(seed=3)
    images = torch.randn(6, 8, 8, generator=torch.Generator().manual_seed(1))
    seen = judge(images).argmax(1).tolist()
    problems = asked(*seen[:4], *((c + 1) % 10 for c in seen[4:]))
    assert judge_accuracy(judge)(problems, images) == {"judge/accuracy": pytest.approx(4 / 6)}
    with pytest.raises(UserError, match="name no class"):
        judge_accuracy(judge)(asked(None), images[:1])
    # six rows span five of 64 dimensions; roots of the other eigenvalues' rounding errors, 1e-8 each, remain
    assert frechet_to(judge, images)(problems, images)["frechet"] == pytest.approx(0, abs=1e-6)
    expected = frechet_distance(judge.features(images[:4]), judge.features(images))
    assert frechet_to(judge, images)(problems[:4], images[:4])["frechet"] == pytest.approx(expected)
    assert expected > 0.01
    # rows 0, 1, 4 are of one problem, 2 and 3 of another, 5 alone; the same index on another visit is another problem
    one, two = Problem(index=1, input=0), Problem(index=2, input=0)
    rows = [one, one, two, two, one, replace(one, visit=1)]
    f = judge.features(images).detach().double()
    first = ((f[0] - f[1]).norm() + (f[0] - f[4]).norm() + (f[1] - f[4]).norm()) / 3
    expected = (first + (f[2] - f[3]).norm()) / 2
    assert diversity_within(judge)(rows, images)["diversity"] == pytest.approx(expected.item())
    assert math.isnan(diversity_within(judge)(problems, images)["diversity"])


def on_a_line(places, digit):
    """Images whose first pixel says where and whose second says which digit a judge sees."""
    images = torch.zeros(len(places), 8, 8)
    images[:, 0, 0], images[:, 0, 1] = torch.tensor(places), digit
    return images


def test_variety_of_right_by_hand():
    judge = Judge()
    judge.features = lambda images: images.flatten(1)[:, :1]
    judge.forward = lambda images: nn.functional.one_hot(images[:, 0, 1].long(), 10).float()
    real = torch.cat([on_a_line([0.0, 1.0, 2.0, 3.0], 0), on_a_line([0.0, 2.0, 4.0], 1)])
    measure = variety_of_right(judge, real, torch.tensor([0] * 4 + [1] * 3), count=2, near=1)
    # of 0: the first two right ones, 0.75 apart, within 1 of three of four; of 1: 0.5 apart, near nothing
    drawn = torch.cat([on_a_line([9.0], 1), on_a_line([0.5, 1.25, 3.0], 0), on_a_line([10.0, 10.5], 1)])
    found = measure(asked(0, 0, 0, 0, 1, 1), drawn)
    assert found == pytest.approx({"diversity/right": (0.75 + 0.5) / 2, "coverage": 0.75 / 2})
    assert measure(asked(0, 0, 0, 0, 1, 0), drawn) == pytest.approx({"diversity/right": 0.75, "coverage": 0.75})
    assert all(math.isnan(value) for value in measure(asked(1, 1, 1, 1, 0, 0), drawn).values())


# Models ------------------------------------------------------------------------------------------------------------


def test_models_come_from_their_seed_alone():
    before = torch.random.get_rng_state()
    x, t, label = (
        torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)),
        torch.rand(3),
        torch.tensor([0, 4, 9]),
    )
    torch.random.set_rng_state(before)
    one, same, other = (ResidualMLP((8, 8), classes=10, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one(x, t, label), same(x, t, label))
    assert not torch.allclose(one(x, t, label), other(x, t, label))
    assert 450_000 < sum(p.numel() for p in one.parameters()) < 550_000
    assert (NoiseHead((8, 8), classes=10)(x, t, label) == 0).all()


def test_training_a_denoiser():
    # data of two points, one for each class, and both equally likely for the null class
    data, labels = torch.tensor([[1.0, -1.0], [-2.0, 0.5]]).repeat(20, 1), torch.tensor([0, 1]).repeat(20)

    def trained(seed, iterations=10):
        denoiser = ResidualMLP((2,), classes=2, width=32, blocks=1)
        settings = {"schedule": RectifiedFlow(), "prediction": X0, "null": 2, "iterations": iterations, "batch": 64}
        train_denoiser(denoiser, data, labels, seed=seed, **settings)
        return denoiser

    before = torch.random.get_rng_state()
    denoiser = trained(seed=4, iterations=300)
    assert torch.equal(before, torch.random.get_rng_state())
    x, noise = torch.zeros(3, 2), torch.ones(3)
    known = denoiser(x, noise, torch.tensor([0, 1, 2]))
    # from pure noise the class says which point it was, and no class says only their mean
    torch.testing.assert_close(known, torch.tensor([[1.0, -1.0], [-2.0, 0.5], [-0.5, -0.25]]), rtol=0, atol=0.25)
    one, same, other = (trained(seed)(x, noise, labels[:3]) for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_what_training_leaves_is_an_average():
    data, labels = torch.tensor([[1.0, -1.0]]), torch.tensor([0])

    def trained(**settings):
        denoiser = ResidualMLP((2,), classes=1, width=8, blocks=1)
        settings = {"schedule": RectifiedFlow(), "prediction": X0, "null": 1, "batch": 4} | settings
        train_denoiser(denoiser, data, labels, **settings)
        return denoiser.enter.weight

    start, moved = ResidualMLP((2,), classes=1, width=8, blocks=1).enter.weight, trained(iterations=1, ema=0.0)
    assert (moved - start).abs().max() > 1e-6
    # the first step counts nine tenths
    torch.testing.assert_close(trained(iterations=1, ema=0.99), start + 0.9 * (moved - start), rtol=0, atol=1e-8)
    torch.testing.assert_close(trained(iterations=1, ema=0.05), start + 0.95 * (moved - start), rtol=0, atol=1e-8)


def test_a_base_is_built_once_for_each_recipe(cache):
    train = Digits("train")
    settings = {"schedule": Cosine(), "prediction": EPS, "iterations": 2}
    built = digits_base(train.images, train.labels, **settings)
    (path,) = cache.iterdir()
    stamp = path.stat().st_mtime_ns
    again = digits_base(train.images, train.labels, **settings)
    assert path.stat().st_mtime_ns == stamp
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), again.parameters(), strict=True))
    fresh = ResidualMLP((8, 8), classes=10)
    assert not torch.equal(again.enter.weight, fresh.enter.weight)
    for change in ({"iterations": 3}, {"seed": 1}, {"schedule": Cosine(last=0.2)}, {"prediction": VELOCITY}):
        digits_base(train.images, train.labels, **(settings | change))
    digits_base(train.images, mislabelled(train.labels, 0.4), **settings)
    assert len(list(cache.iterdir())) == 6
    with pytest.raises(UserError, match="0 to 9"):
        digits_base(train.images, train.labels + 1, **settings)


def test_the_judge_reads_digits_it_has_not_seen(cache):
    train, test = Digits("train"), Digits("test")
    judge = digits_judge(train.images, train.labels)
    assert (judge(test.images).argmax(dim=1) == test.labels).float().mean() >= 0.97
    assert not any(p.requires_grad for p in judge.parameters())
    assert torch.equal(digits_judge(train.images, train.labels)(test.images), judge(test.images))
    # answers earn their reward
    problems = [test.at(i) for i in range(200)]
    assert judge_match(judge)(problems, torch.stack([p.answer for p in problems])).mean() >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "prediction", "rule"), [(Cosine(), EPS, ddpm()), (RectifiedFlow(), VELOCITY, ode())]
)
def test_the_digits_base_draws_the_digit_that_is_asked_for(schedule, prediction, rule):
    train, test = Digits("train"), Digits("test")
    judge = digits_judge(train.images, train.labels)
    # a third of its usual training is enough
    base = digits_base(train.images, train.labels, schedule=schedule, prediction=prediction, iterations=500)
    policy = Diffusion(
        base, steps=20, rule=rule, schedule=schedule, prediction=prediction, event="sum", shape=(8, 8), classes=10
    )
    problems = [test.at(i) for i in range(500)]
    images = policy.sample(problems, group=1, seed=0).outputs
    assert judge_accuracy(judge)(problems, images)["judge/accuracy"] >= 0.97
    # two sets of real digits, 1438 and 359, are 8 apart
    assert frechet_to(judge, train.images)(problems, images)["frechet"] < 15
