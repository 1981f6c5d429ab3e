"""Real pipelines with random weights: our steps against the pipeline's own, densities against formulas, rows alone."""

import copy
import functools
import math

import pytest
import torch

from rlft.methods.b2_diffurl import b2_diffurl
from rlft.methods.ddpo import ddpo
from rlft.methods.grpo import grpo
from rlft.methods.loop import loop
from rlft.methods.prdp import prdp
from rlft.policies.pipelines.drawing import Drawing, Window
from rlft.policies.pipelines.load import family_of
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from tests import pipelines

FAMILIES = ["StableDiffusion", "StableDiffusion3", "Flux", "Kandinsky5", "QwenImage", "Wan", "Kandinsky5Film"]
# What the pipeline itself calls a guidance of 4 away from the empty prompt.
GUIDED = {"QwenImage": {"true_cfg_scale": 4.0, "negative_prompt": ""}}
FILMED = {"Wan": {"num_frames": 5}, "Kandinsky5Film": {"num_frames": 5}}
ASKED = [Problem(0, "a red cat"), Problem(1, "the big green dog in a small house")]


def drawing(name, **more):
    size = pipelines.SIZE[name]
    told = {"denoising_steps": 4, "guidance": 4.0, "height": size, "width": size, "block": 3, **FILMED.get(name, {})}
    return Drawing(**{**told, **more})


@functools.cache
def policy(name):
    return Pipeline(family_of(pipelines.built(name), drawing(name)), drawing(name))


@functools.cache
def drawn(name):
    return policy(name).sample(ASKED, 2, seed=3)


def own(pipe, problem, latents, **more):
    """What the pipeline itself draws from this noise, in [-1, 1]."""
    made = pipe(prompt=problem.input, latents=latents, output_type="pt", **{"num_inference_steps": 4, **more})
    if "frames" in made:
        return (2 * made.frames.transpose(1, 2) - 1).clamp(-1, 1)
    pictures = made.image if "image" in made else made.images
    return (2 * pictures - 1).clamp(-1, 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_without_noise_it_draws_what_the_pipeline_draws(name):
    """Encoders, times and their shift, guidance, packing, decoder: each prompt alone, as a user would."""
    found = policy(name).deployed().sample(ASKED, 1, seed=3)
    assert not found.mask.any()
    pipe, size = copy.copy(policy(name).family.pipe), pipelines.SIZE[name]
    pipe.resolutions = [(size, size)]
    for row, problem in enumerate(ASKED):
        start = found.trace["states"][row : row + 1, 0].clone()
        told = {**GUIDED.get(name, {"guidance_scale": 4.0}), **FILMED.get(name, {}), "height": size, "width": size}
        theirs = own(pipe, problem, start, **told)
        assert theirs.std() > 0.1
        torch.testing.assert_close(found.outputs[row : row + 1], theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_scored_again_is_the_row_as_it_was_drawn(name):
    """To the last bit: all together, each alone, and drawn without its neighbours; the last step decides nothing."""
    rollouts = drawn(name)
    assert rollouts.mask.tolist() == [[True] * 3 + [False]] * 4
    assert torch.equal(policy(name).log_prob(rollouts), rollouts.logp_old)
    alone = [policy(name).log_prob(rollouts[[row]]) for row in range(4)]
    assert torch.equal(torch.cat(alone), rollouts.logp_old)
    second = policy(name).sample(ASKED[1:], 1, seed=3)
    assert torch.equal(second.trace["states"][0], rollouts.trace["states"][2])
    assert torch.equal(second.outputs[0], rollouts.outputs[2])
    states = rollouts.trace["states"]
    assert min(float((states[:, k] - states[:, k + 1]).abs().max()) for k in range(4)) > 1e-3
    assert float((rollouts.outputs[0] - rollouts.outputs[1]).abs().max()) > 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_prompts_are_read_once_and_matter(name):
    """By whoever draws or scores; guidance leads away from the empty prompt where no other is given."""
    fresh = Pipeline(policy(name).family, policy(name).drawing)
    rollouts = fresh.sample(ASKED, 2, seed=3)
    fresh.log_prob(rollouts)
    fresh.deployed().sample(ASKED, 1, seed=4)
    assert fresh.prompts.reads == (2 if name == "Flux" else 3)
    other = fresh.sample([Problem(0, "the small house")], 1, seed=3)
    assert float((other.trace["states"][0] - rollouts.trace["states"][0]).abs().max()) > 1e-3
    plain = Pipeline(family_of(fresh.family.pipe, drawing(name, guidance=1.0)), drawing(name, guidance=1.0))
    assert float((plain.sample(ASKED[:1], 1, seed=3).outputs[0] - rollouts.outputs[0]).abs().max()) > 1e-3


def test_a_flow_step_has_the_density_that_flow_grpo_writes_down():
    """Flow-GRPO, Eq. 9, with the network called as its pipeline calls it; noise level 0.7, second step."""
    rollouts, held = drawn("StableDiffusion3"), policy("StableDiffusion3")
    pipe, states = held.family.pipe, rollouts.trace["states"]
    sigma, after = (float(held.grid.times[k]) for k in (1, 2))
    told, x = {"device": "cpu", "do_classifier_free_guidance": True}, states[:1, 1]
    text, none, pooled, no_pooled = pipe.encode_prompt(ASKED[0].input, None, None, **told)
    with torch.no_grad():
        without, given = held.core(
            hidden_states=torch.cat([x, x]),
            timestep=torch.full((2,), 1000 * sigma),
            encoder_hidden_states=torch.cat([none, text]),
            pooled_projections=torch.cat([no_pooled, pooled]),
        ).sample.chunk(2)
    velocity, dt = without + 4.0 * (given - without), after - sigma
    level = 0.7 * math.sqrt(sigma / (1 - sigma))
    mean = x * (1 + level**2 / (2 * sigma) * dt) + velocity * (1 + level**2 * (1 - sigma) / (2 * sigma)) * dt
    density = torch.distributions.Normal(mean, level * math.sqrt(-dt)).log_prob(states[:1, 2])
    assert float(density.mean()) == pytest.approx(float(rollouts.logp_old[0, 1]), abs=1e-5)


def test_a_noise_predicting_step_is_ddim_s():
    """With eta 1 and our noise handed to the scheduler; its last step, which is noisy under this config, is taken
    without noise."""
    rollouts, held = drawn("StableDiffusion"), policy("StableDiffusion")
    states, scheduler = rollouts.trace["states"], copy.deepcopy(held.family.ddim)
    assert scheduler.timesteps.tolist() == [751, 501, 251, 1]
    pipe = held.family.pipe
    text, none = pipe.encode_prompt(ASKED[0].input, "cpu", 1, True)
    for k, t in enumerate(scheduler.timesteps):
        x = states[:1, k]
        with torch.no_grad():
            without, given = held.core(torch.cat([x, x]), t, torch.cat([none, text])).sample.chunk(2)
        eps, keys = without + 4.0 * (given - without), rollouts.trace["key"][:1]
        noise = held.step(x, torch.tensor([k]), rollouts.trace["condition"][:1]).noise(keys, k).float()
        after = scheduler.step(
            eps, t, x, eta=1.0 if k < 3 else 0.0, variance_noise=noise if k < 3 else None
        ).prev_sample
        torch.testing.assert_close(states[:1, k + 1], after, rtol=0, atol=2e-5)


def test_times_are_those_of_the_pipeline_and_shifted_once():
    """By hand: shift 3 of numbers from 1 to the scheduler's least; FLUX's mu is linear in its 64 tokens."""
    least = 3 * 0.001 / (1 + 2 * 0.001)
    plain = torch.linspace(1, least, 4, dtype=torch.float64)
    shifted = torch.cat([3 * plain / (1 + 2 * plain), torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(policy("StableDiffusion3").grid.times, shifted, rtol=0, atol=1e-6)
    mu = 0.5 + (1.15 - 0.5) / (4096 - 256) * (64 - 256)
    even = torch.tensor([1, 0.75, 0.5, 0.25], dtype=torch.float64)
    flux = torch.cat([math.exp(mu) / (math.exp(mu) + 1 / even - 1), torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(policy("Flux").grid.times, flux, rtol=0, atol=1e-6)


def test_times_that_are_stretched_to_end_at_a_noise():
    """Qwen-Image's: shifted as FLUX's are, then 1 - t scaled so that the last noisy one is 0.02."""
    mu = 0.5 + (0.9 - 0.5) / (8192 - 256) * (16 - 256)  # 16 tokens
    even = torch.tensor([1, 0.75, 0.5, 0.25], dtype=torch.float64)
    shifted = math.exp(mu) / (math.exp(mu) + 1 / even - 1)
    stretched = 1 - (1 - shifted) * (1 - 0.02) / (1 - shifted[-1])
    times = policy("QwenImage").grid.times
    torch.testing.assert_close(times, torch.cat([stretched, torch.zeros(1).double()]), rtol=0, atol=1e-6)
    assert float(times[3]) == pytest.approx(0.02, abs=1e-6)


def unipc(**more):
    """As Wan's released folders have it."""
    from diffusers import UniPCMultistepScheduler

    told = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0, **more}
    return UniPCMultistepScheduler(**told)


def test_times_of_unipc_by_hand():
    """3s/(1 + 2s) of s = 1 - j/1000 in four even steps, then 0."""
    held = family_of(pipelines.built("Wan", scheduler=unipc()), drawing("Wan"))
    even = torch.linspace(1, 1 / 1000, 5, dtype=torch.float64)[:4]
    expected = torch.cat([3 * even / (1 + 2 * even), torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(held.grid(4).times, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_without_noise_a_solver_that_looks_back_draws_what_the_pipeline_draws(steps):
    """And what is decided is a step that does not."""
    pipe = pipelines.built("Wan", scheduler=unipc())
    told = drawing("Wan", denoising_steps=steps)
    held = Pipeline(family_of(pipe, told), told)
    found = held.deployed().sample(ASKED, 2, seed=3)
    assert found.outputs.shape == (4, 3, 5, 32, 32) and not found.mask.any() and held.solver is None
    sizes = {"num_frames": 5, "height": 32, "width": 32, "guidance_scale": 4.0}
    for row in (0, 3):
        start = found.trace["states"][row : row + 1, 0].clone()
        theirs = own(pipe, ASKED[row // 2], start, num_inference_steps=steps, **sizes)
        # its coefficients are float32, and the first step begins where α is 1e-6
        torch.testing.assert_close(found.outputs[row : row + 1], theirs, rtol=0, atol=1e-4)
    rollouts = held.sample(ASKED, 1, seed=3)
    assert torch.equal(held.log_prob(rollouts), rollouts.logp_old)


def test_a_time_for_each_token():
    """Wan 2.2 TI2V, whose network is told one for each."""
    pipe = pipelines.built("Wan", expand_timesteps=True)
    held = Pipeline(family_of(pipe, drawing("Wan")), drawing("Wan")).deployed()
    found = held.sample(ASKED[:1], 1, seed=3)
    start = found.trace["states"][:, 0].clone()
    theirs = own(pipe, ASKED[0], start, guidance_scale=4.0, num_frames=5, height=32, width=32)
    torch.testing.assert_close(found.outputs, theirs, rtol=0, atol=2e-5)


def test_a_network_that_can_go_on_from_a_picture_reads_none():
    """Kandinsky's networks of films: zeros where a picture and its mask would be, as its pipeline hands them."""
    pipe = pipelines.built("Kandinsky5Film", conditioned=True)
    held = Pipeline(family_of(pipe, drawing("Kandinsky5Film")), drawing("Kandinsky5Film")).deployed()
    found = held.sample(ASKED[:1], 1, seed=3)
    start = found.trace["states"][:, 0].clone()
    read = torch.cat([start, torch.zeros_like(start), torch.zeros_like(start[..., :1])], dim=-1)
    theirs = own(pipe, ASKED[0], read, guidance_scale=4.0, num_frames=5, height=32, width=32)
    torch.testing.assert_close(found.outputs, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(512, 768, (1, 2, 2)), (32, 32, (1, 3.16, 3.16)), (1024, 512, (1, 3.16, 3.16))]
)
def test_positions_of_films_are_stretched_by_their_size(height, width, scale):
    pipe = policy("Kandinsky5Film").family.pipe
    held = family_of(pipe, drawing("Kandinsky5Film", height=height, width=width))
    assert held.scale == scale == pipe._get_scale_factor(height, width)


def test_noise_is_nobody_else_s_and_no_scheduler_is_stepped():
    """Neither torch's global generator nor a scheduler's counter has moved, and noise follows the seed."""
    held = policy("Flux")
    before, scheduler = torch.get_rng_state(), held.family.pipe.scheduler
    index, sigmas = scheduler.step_index, scheduler.sigmas.clone()
    again = held.sample(ASKED, 2, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert scheduler.step_index == index and torch.equal(scheduler.sigmas, sigmas)
    assert torch.equal(again.outputs, drawn("Flux").outputs)
    assert not torch.equal(held.sample(ASKED, 2, seed=4).outputs, again.outputs)


def test_a_longer_neighbour_changes_no_picture():
    """Kandinsky masks no text: encoded together, its short prompt would be padded to the long one."""
    held, long = policy("Kandinsky5"), Problem(1, " ".join(["small red house on the big green dog"] * 5))
    pair = held.sample([ASKED[0], long], 1, seed=3)
    assert torch.equal(pair.outputs[0], drawn("Kandinsky5").outputs[0])
    padded, _, _ = held.family.pipe.encode_prompt([ASKED[0].input, long.input])
    assert padded.shape[1] > held.prompts.told(held.prompts.key(ASKED[0].input))["text"].shape[1]


def test_recomputing_changes_no_gradient_and_states_stay_wide():
    """In bfloat16 the network computes in it, latents and densities do not, and the first ratio is 1."""
    held, rollouts = policy("StableDiffusion3"), drawn("StableDiffusion3")
    gradients = []
    for recompute in (False, True):
        other = Pipeline(held.family, held.drawing, core=held.core, recompute=recompute)
        other.log_prob(rollouts).sum().backward()
        gradients.append([weight.grad for weight in held.core.parameters() if weight.grad is not None])
        held.core.zero_grad(set_to_none=True)
    assert len(gradients[0]) > 20
    assert all(torch.equal(one, two) for one, two in zip(*gradients, strict=True))
    half = Pipeline(held.family, held.drawing, core=copy.deepcopy(held.core).bfloat16())
    with torch.no_grad():
        half.prompts.kept.put(half.prompts.key(""), _half(held, ""), 1)
        for problem in ASKED:
            half.prompts.kept.put(half.prompts.key(problem.input), _half(held, problem.input), 1)
    found = half.sample(ASKED, 1, seed=3)
    assert found.trace["states"].dtype == torch.float32
    assert torch.equal(half.log_prob(found), found.logp_old)


def _half(held, text):
    return {name: one.bfloat16() for name, one in held.prompts.told(held.prompts.key(text)).items()}


def test_a_window_is_noisy_scored_and_trained_alone():
    """Steps before it are taken once for a group that starts alike, and equal the ODE's from the same noise."""
    base = policy("StableDiffusion3")
    held = Pipeline(base.family, base.drawing, Window(window=1, window_first=2, same_start=True))
    rows = []
    hook = held.core.register_forward_pre_hook(lambda m, a, k: rows.append(len(k["hidden_states"])), with_kwargs=True)
    found = held.sample(ASKED, 3, seed=3)
    # with guidance 2 rows each, in blocks of 3: two problems twice, then six rows twice
    assert rows == [6, 6, 12 // 2, 6, 6, 6]
    rows.clear()
    held.log_prob(found)
    hook.remove()
    assert rows == [6, 6]
    assert found.mask.tolist() == [[False, False, True, False]] * 6
    states = found.trace["states"]
    assert torch.equal(states[0, :3], states[2, :3]) and not torch.equal(states[0, 3], states[2, 3])
    plain = held.deployed().sample(ASKED, 1, seed=3)
    assert torch.equal(plain.trace["states"][:, :3], states[[0, 3], :3])


def test_windows_move_and_go_on_where_they_were():
    base = policy("StableDiffusion3")
    held = Pipeline(base.family, base.drawing, Window(window=1, window_at="moving"))
    places = [held.sample(ASKED[:1], 1, seed=3).mask[0].nonzero().item() for _ in range(2)]
    again = Pipeline(base.family, base.drawing, Window(window=1, window_at="moving"), core=copy.deepcopy(held.core))
    again.load_state_dict(held.state_dict())
    assert places == [0, 1] and again.sample(ASKED[:1], 1, seed=3).mask[0].nonzero().item() == 2


def test_a_branch_keeps_what_was_decided_and_its_window():
    held, rollouts = policy("StableDiffusion3"), drawn("StableDiffusion3")
    branches = held.resume(rollouts, torch.tensor([2, 2, 2, 2]), 2, seed=8)
    assert torch.equal(branches.trace["states"][::2, :3], rollouts.trace["states"][:, :3])
    assert branches.mask.tolist() == [[False, False, True, False]] * 8
    assert torch.equal(held.log_prob(branches), branches.logp_old)


def bright(problems, pictures):
    return pictures.mean((1, 2, 3))


def trainer(method, **more):
    base = policy("StableDiffusion3")
    held = Pipeline(base.family, base.drawing, Window(window=2), core=copy.deepcopy(base.core))
    return Trainer(held, method, Asked(), bright, prompts=2, group=2, lr=1e-3, **more)


class Asked:
    name, split, size = "asked", "train", 2

    def at(self, index):
        return ASKED[index]


def branching():
    return b2_diffurl(first=1, keep=0.0)


@pytest.mark.parametrize("make", [grpo, loop, ddpo, prdp, branching])
def test_published_methods_train_it(make):
    held = trainer(make())
    before = [weight.detach().clone() for weight in held.policy.parameters()]
    assert held.step()["ratio/first"] == 0
    assert any(not torch.equal(a, b) for a, b in zip(before, held.policy.parameters(), strict=True))


@torch.no_grad()
def test_micro_batches_change_the_weights_by_rounding_alone():
    whole, cut = trainer(grpo(beta=0.0)), trainer(grpo(beta=0.0), rows=1)
    with torch.enable_grad():
        assert whole.step()["ratio/first"] == cut.step()["ratio/first"] == 0
    off = [float((a - b).abs().max()) for a, b in zip(whole.policy.parameters(), cut.policy.parameters(), strict=True)]
    assert max(off) < 3e-4  # Adam's first steps have the size 1e-3 whatever the gradient


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: family_of(pipelines.built("Flux", reads=False), drawing("Flux")), "would change nothing"),
        (lambda: family_of(pipelines.built("Flux"), drawing("Flux", negative="a dog")), "no negative prompt"),
        (lambda: family_of(pipelines.built("QwenImage", reads=True), drawing("QwenImage")), "distilled"),
        (lambda: family_of(pipelines.built("StableDiffusion", thresholding=True), Drawing()), "clips"),
        (lambda: family_of(pipelines.built("Wan", boundary_ratio=0.9), drawing("Wan")), "two networks"),
        (
            lambda: family_of(pipelines.built("Wan", scheduler=unipc(solver_order=3)), drawing("Wan")),
            "solver_order.: 3",
        ),
        (lambda: family_of(policy("Wan").family.pipe, drawing("Wan", num_frames=4)), "draws 1 and a multiple of 4"),
        (lambda: family_of(policy("Flux").family.pipe, drawing("Flux", num_frames=5)), "FluxPipeline draws pictures"),
        (lambda: family_of(object()), "object is not one of the pipelines"),
        (lambda: policy("Flux").check([Problem(7, 3)]), "problem 7 asks for 3"),
        (
            lambda: family_of(policy("Flux").family.pipe, Drawing(height=17)),
            "17 pixels: FluxPipeline draws multiples of 2",
        ),
        (lambda: Pipeline(policy("StableDiffusion").family, Drawing(noise="flow_sde(0.7)")), "rectified flow"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(make, told):
    with pytest.raises(UserError, match=told):
        make()
