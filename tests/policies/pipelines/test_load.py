"""Pipelines in folders: adapters and whole ones trained a little, saved, and read again by plain `diffusers`."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.folder import Reading
from rlft.policies.pipelines.known import WEIGHTS, is_pipeline
from rlft.policies.pipelines.load import load
from rlft.types import Problem, UserError
from tests import pipelines

ASKED = [Problem(0, "a red cat")]
DRAWING = Drawing(denoising_steps=3, guidance=4.0, height=16, width=16, block=2)


def moved(policy):
    """The policy after a step of its own gradient."""
    policy.log_prob(policy.sample(ASKED, 2, seed=1)).sum().backward()
    with torch.no_grad():
        for weight in policy.parameters():
            if weight.grad is not None:
                weight -= 0.02 * weight.grad.sign()
    return policy


def pictures(policy):
    return policy.deployed().sample(ASKED, 1, seed=2).outputs


def latents(policy):
    return policy.deployed().sample(ASKED, 1, seed=2).trace["states"][:, 0].clone()


@pytest.fixture(scope="module", params=["StableDiffusion3", "StableDiffusion"])
def adapted(request, tmp_path_factory):
    """A policy with trained adapters, the folder it was saved in, and what its base draws."""
    policy = load(pipelines.folder(request.param), DRAWING, lora=2)
    before, reference = pictures(policy), policy.reference()
    named = dict(policy.named_parameters())
    assert {name for name, weight in named.items() if weight.requires_grad} == {n for n in named if "lora_" in n}
    rollouts = moved(policy).sample(ASKED, 2, seed=1)
    out = tmp_path_factory.mktemp("adapter")
    policy.save(out)
    return request.param, policy, reference, rollouts, before, out


def test_an_adapter_lends_its_base_as_the_reference(adapted):
    name, policy, reference, rollouts, before, _ = adapted
    assert not list(reference.parameters())
    base = load(pipelines.folder(name), DRAWING)
    assert torch.equal(reference.log_prob(rollouts), base.log_prob(rollouts).detach())
    assert torch.equal(before, pictures(base))
    at = torch.ones(len(rollouts), 1, dtype=torch.long)
    with torch.no_grad():
        assert torch.equal(reference.denoised(rollouts, at), base.denoised(rollouts, at))
        assert not torch.equal(policy.denoised(rollouts, at), base.denoised(rollouts, at))
    assert torch.equal(policy.log_prob(rollouts), rollouts.logp_old)
    assert float((pictures(policy) - before).abs().max()) > 1e-3


def test_an_adapter_is_what_diffusers_loads(adapted):
    """With its alpha: without the config that is saved beside it, it would act half as strongly."""
    from diffusers import DiffusionPipeline

    name, policy, _, _, _, out = adapted
    pipe = DiffusionPipeline.from_pretrained(pipelines.folder(name))
    pipe.load_lora_weights(out)
    told = {"num_inference_steps": 3, "guidance_scale": 4.0, "height": 16, "width": 16, "output_type": "pt"}
    theirs = 2 * pipe(ASKED[0].input, latents=latents(policy), **told).images - 1
    torch.testing.assert_close(theirs.clamp(-1, 1), pictures(policy), rtol=0, atol=2e-5)


def test_an_adapter_goes_on_from_its_folder(adapted):
    _, _, _, rollouts, _, out = adapted
    again = load(out, DRAWING)
    assert is_pipeline(str(out)) and again.origin.lora == 2
    assert torch.equal(again.log_prob(rollouts), rollouts.logp_old)
    assert sum(weight.requires_grad for weight in again.parameters()) > 0
    # its reference is the adapter as it is now, and not the base
    assert torch.equal(again.reference().log_prob(rollouts), rollouts.logp_old)
    with pytest.raises(UserError, match="holds an adapter of rank 2, and lora=4"):
        load(out, DRAWING, lora=4)


def test_an_adapter_that_loads_nothing_is_refused(adapted, tmp_path):
    """As `save_lora_adapter` of a network writes it: without the prefix that the pipeline looks for."""
    _, _, _, _, _, out = adapted
    shutil.copytree(out, tmp_path / "bare")
    weights = load_file(out / WEIGHTS)
    save_file({name.partition(".")[2]: weight for name, weight in weights.items()}, tmp_path / "bare" / WEIGHTS)
    with pytest.raises(UserError, match=r"0 of the .* tensors of the adapter"):
        load(tmp_path / "bare", DRAWING)


def test_an_adapter_without_its_base_says_so(adapted, tmp_path):
    shutil.copytree(adapted[-1], tmp_path / "lost")
    told = json.loads((tmp_path / "lost" / "adapter_config.json").read_text())
    told["base_model_name_or_path"] = "/nowhere/pipeline"
    (tmp_path / "lost" / "adapter_config.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="needs the pipeline it was trained on, /nowhere/pipeline"):
        load(tmp_path / "lost", DRAWING)


def test_a_whole_pipeline_is_what_diffusers_loads(tmp_path):
    """The trained network beside the parts that were not trained; the reference stays where it was."""
    from diffusers import DiffusionPipeline

    policy = load(pipelines.folder("Flux"), DRAWING)
    reference, rollouts = policy.reference(), policy.sample(ASKED, 2, seed=1)
    moved(policy).save(tmp_path / "whole")
    assert torch.equal(reference.log_prob(rollouts), rollouts.logp_old)
    assert reference.family is policy.family and reference.prompts is policy.prompts
    pipe = DiffusionPipeline.from_pretrained(tmp_path / "whole")
    told = {"num_inference_steps": 3, "guidance_scale": 4.0, "height": 16, "width": 16, "output_type": "pt"}
    theirs = 2 * pipe(ASKED[0].input, latents=latents(policy), **told).images - 1
    torch.testing.assert_close(theirs.clamp(-1, 1), pictures(policy), rtol=0, atol=2e-5)
    half = load(tmp_path / "whole", DRAWING, reading=Reading(dtype="bfloat16"))
    found = half.sample(ASKED, 1, seed=1)
    assert half.core.dtype == torch.bfloat16 and found.trace["states"].dtype == torch.float32
    assert torch.equal(half.log_prob(found), found.logp_old)


def test_an_adapter_of_a_qwen_image_is_what_diffusers_loads(tmp_path):
    """Trained adapters stand at every layer that is named, and the pipeline draws with them what the policy draws."""
    from diffusers import DiffusionPipeline

    policy = load(pipelines.folder("QwenImage"), DRAWING, lora=2)
    moved(policy).save(tmp_path / "tuned")
    pipe = DiffusionPipeline.from_pretrained(pipelines.folder("QwenImage"))
    told = {"num_inference_steps": 3, "true_cfg_scale": 4.0, "negative_prompt": "", "height": 16, "width": 16}
    drawn = []
    for tuned in (False, True):
        if tuned:
            pipe.load_lora_weights(tmp_path / "tuned")
        drawn.append(2 * pipe(ASKED[0].input, latents=latents(policy), output_type="pt", **told).images - 1)
    torch.testing.assert_close(drawn[1].clamp(-1, 1), pictures(policy), rtol=0, atol=2e-5)
    assert float((drawn[0] - drawn[1]).abs().max()) > 1e-2


def test_what_is_no_pipeline_is_said(tmp_path):
    assert not is_pipeline(str(tmp_path)) and not is_pipeline("nowhere/at-all") and not is_pipeline("./a/b")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "PixArtSigmaPipeline"}))
    assert is_pipeline(str(tmp_path))
    with pytest.raises(UserError, match="PixArtSigmaPipeline is not one of the pipelines that can be trained"):
        load(tmp_path)
