"""Rows drawn by another engine: what it is given and when, what is made of what it gives, and vLLM's way of asking.

The stand-in has vLLM's interface, weights of its own from the folder, and draws with `transformers` alone.
"""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import per_group, zscore
from rlft.advantages.around import Around
from rlft.advantages.correction import importance_corrected, weights
from rlft.methods.grpo import grpo
from rlft.options.learning import Learning
from rlft.options.reward import Rewards
from rlft.policies.language.policy import Language
from rlft.policies.language.served import VLLM, Request, weights_of
from rlft.policies.language.tokens.sampling import Sampling
from rlft.recipes.train import Machines, train
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from tests.policies.language.test_policy import PROMPTS, build


class StandIn:
    """`vllm.LLM` as far as it is used."""

    def __init__(self, model, **told):
        from transformers import AutoModelForCausalLM

        self.told, self.resets, self.asked = told, 0, []
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)
        self.lag = 0.0  # added to every log-probability that it reports
        runner = SimpleNamespace(model=SimpleNamespace(load_weights=self.load_weights))
        worker = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=runner))
        self.llm_engine = SimpleNamespace(model_executor=worker)

    def load_weights(self, weights):
        given = dict(weights)
        own = dict(self.model.named_parameters())
        assert given.keys() == own.keys()
        with torch.no_grad():
            for name, tensor in given.items():
                own[name].copy_(tensor)

    def reset_prefix_cache(self):
        self.resets += 1

    @torch.no_grad()
    def generate(self, prompts, params, use_tqdm):
        assert not use_tqdm
        self.asked += zip(prompts, params, strict=True)
        return [
            SimpleNamespace(outputs=[self.row(p["prompt_token_ids"], told)]) for p, told in self.asked[-len(params) :]
        ]

    def row(self, prompt, told):
        noise = torch.Generator().manual_seed(told.seed)
        tokens, logprobs = [], []
        while len(tokens) < told.max_tokens and not (tokens and tokens[-1] in told.stop_token_ids):
            logits = self.model(torch.tensor([[*prompt, *tokens]])).logits[0, -1] / told.temperature
            token = int(torch.multinomial(logits.softmax(-1), 1, generator=noise))
            logprobs.append({token: SimpleNamespace(logprob=float(logits.log_softmax(-1)[token]) + self.lag)})
            tokens.append(token)
        return SimpleNamespace(token_ids=tuple(tokens), logprobs=logprobs)


@pytest.fixture(autouse=True)
def vllm(monkeypatch):
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = StandIn, SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")


@pytest.fixture
def served(tmp_path):
    policy = build(spread=5.0, max_new_tokens=6, temperature=0.7)
    policy.save(tmp_path / "model")
    engine = VLLM(tmp_path / "model", memory=0.3, seed=5)
    return policy.served(engine), engine.llm


def test_the_engine_is_asked_as_the_policy_samples(served):
    policy, llm = served
    assert (llm.told["gpu_memory_utilization"], llm.told["seed"], llm.told["skip_tokenizer_init"]) == (0.3, 5, True)
    rows = policy.sample(PROMPTS, 3, seed=4)
    prompts = [given["prompt_token_ids"] for given, _ in llm.asked]
    lengths = rows.trace["prompt_length"].tolist()
    assert prompts == [row[:n] for row, n in zip(rows.trace["prompt"].tolist(), lengths, strict=True)]
    told = [params for _, params in llm.asked]
    assert {(t.temperature, t.max_tokens, t.logprobs, t.detokenize) for t in told} == {(0.7, 6, 0, False)}
    assert all(t.stop_token_ids == policy.ends.tolist() and t.ignore_eos for t in told)
    assert len({t.seed for t in told}) == len(rows) and min(t.seed for t in told) >= 0
    again = policy.sample(PROMPTS, 3, seed=4)
    assert torch.equal(again.trace["completion"], rows.trace["completion"])
    alone = policy.sample(PROMPTS[1:2], 3, seed=4)
    assert torch.equal(alone.trace["completion"], rows.trace["completion"][3:6, : alone.mask.shape[1]])


def test_rows_are_the_policys_own_to_score(served):
    policy, llm = served
    llm.lag = 0.01
    rows = policy.sample(PROMPTS, 4, seed=1)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=0, rtol=0)
    assert_close(
        rows.column("logp_drawn"), (rows.logp_old + 0.01).where(rows.mask, 0), atol=1e-6, rtol=0, check_dtype=False
    )
    assert len(rows.mask.sum(1).unique()) > 2
    texts = [policy.codec.text(list(output.tokens), output.truncated) for output in rows.outputs]
    assert texts == list(rows.outputs)


def test_the_engine_follows_the_weights(served):
    policy, llm = served
    trainer = Trainer(policy, grpo(), Counted(), prompts=3, group=4, reward=letters, lr=1e-2, watch_kl=True)
    first, second = trainer.step(), trainer.step()
    assert llm.resets == 2
    assert first["mismatch"] < 1e-12 and second["mismatch"] < 1e-12
    assert second["drift"] > 0 or second["kl"] != 0
    policy.sample(PROMPTS, 1, seed=0)
    policy.sample(PROMPTS, 1, seed=1)
    assert llm.resets == 3  # once for the second step's weights, and not again
    llm.lag = 0.2
    assert trainer.step()["mismatch"] == pytest.approx(torch.tensor(-0.2).exp().item() - 1 + 0.2, rel=1e-3)


def letters(problems, outputs):
    return [float(len(set(str(output)))) for output in outputs]


class Counted:
    name, split, size = "counted", "train", None

    def at(self, index):
        return Problem(index, "abc"[index % 3], task=self.name)


def told_to_train(tmp_path, monkeypatch, **learning):
    """A run as `rlft train --vllm 0.3` makes it."""
    build(spread=5.0).float().save(tmp_path / "model")
    (tmp_path / "data.jsonl").write_text('{"prompt": "ab"}\n{"prompt": "ba"}\n')
    monkeypatch.setattr("rlft.options.reward.load_reward", lambda spec, *more: letters)
    return train(
        str(tmp_path / "model"),
        str(tmp_path / "data.jsonl"),
        Rewards(("letters",)),
        learning=Learning(prompts=2, group=4, **learning),
        sampling=Sampling(max_new_tokens=5),
        machines=Machines(vllm=0.3),
    )


def test_the_tool_trains_so(tmp_path, monkeypatch):
    """`--vllm 0.3`: drawn there, weighed, and the mismatch in the log."""
    run = told_to_train(tmp_path, monkeypatch, steps=1, lr=1e-3)
    assert run.trainer.policy.server.server.llm.told["gpu_memory_utilization"] == 0.3
    assert run.trainer.method.name == "grpo" and isinstance(run.trainer.method.advantage, Around)
    assert 0 <= run.trainer.step()["mismatch"] < 1e-6


@pytest.mark.parametrize(("correction", "drawn"), [("token", True), ("none", False)])
def test_age_and_engine_are_weighed_once(tmp_path, monkeypatch, correction, drawn):
    """Drawn there a step before: one weight for both, or for the engine alone."""
    trainer = told_to_train(tmp_path, monkeypatch, steps=2, lr=0.05, ahead=1, staleness_correction=correction).trainer
    trainer.step()
    trainer.advance()
    rows, own = trainer.pending, trainer.pending.mask
    ratio = (rows.logp_old - rows.column("logp_drawn")).exp()
    assert_close(rows.column("weight")[own], ratio.clamp(max=2.0)[own], atol=1e-5, rtol=0)
    moved = (trainer.policy.log_prob(rows).detach() - rows.column("logp_drawn")).abs()[own].max()
    assert moved > 0.05, "the weights have not moved"
    assert ((ratio[own] - 1).abs().max() > 0.05) == drawn


def test_rows_are_gone_on_from(served):
    policy, llm = served
    rows = policy.sample(PROMPTS, 1, seed=2)
    at = torch.full((len(rows),), 2)
    llm.asked.clear()
    more = policy.resume(rows, at.minimum(rows.mask.sum(1)), 2, seed=3)
    going = [i for i in range(len(rows)) if rows.mask[i].sum() > 2]
    assert going and len(llm.asked) == 2 * len(going)
    assert {t.max_tokens for _, t in llm.asked} == {4}
    for i in going:
        assert torch.equal(more.trace["completion"][2 * i, :2], rows.trace["completion"][i, :2])
    assert_close(policy.log_prob(more), more.logp_old, atol=0, rtol=0)


def test_adapters_are_added_up_and_left_alone(tmp_path):
    pytest.importorskip("peft")
    build(spread=5.0).save(tmp_path / "model")
    policy = Language.load(tmp_path / "model", lora=2, dtype="float64", device="cpu")
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    given = dict(weights_of(policy.model))
    assert all(torch.equal(p, before[name]) for name, p in policy.model.named_parameters())
    policy.save(tmp_path / "merged", merge=True)
    merged = dict(Language.load(tmp_path / "merged", dtype="float64", device="cpu").model.named_parameters())
    assert given.keys() == merged.keys()
    for name, weight in merged.items():
        assert_close(given[name], weight, atol=1e-9, rtol=0)
    layer = "model.layers.0.mlp.up_proj"
    assert (given[f"{layer}.weight"] - before[f"base_model.model.{layer}.base_layer.weight"]).abs().max() > 0.1


def test_what_cannot_be_asked_is_refused(served):
    policy, _ = served
    with pytest.raises(UserError, match="top_p=1, top_k=0 and min_p=0"):
        policy.with_sampling(top_p=0.9).sample(PROMPTS, 1, seed=0)
    with pytest.raises(RuntimeError, match="gave 1 tokens and 0 log"):
        policy.served(Short()).sample(PROMPTS, 1, seed=0)


class Short:
    def load(self, weights):
        assert len(dict(weights)) > 5

    def complete(self, rows, sampling, ends):
        assert isinstance(rows[0], Request)
        return [([3], []) for _ in rows]


def test_without_vllm_it_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match="needs vllm and a GPU: pip install"):
        VLLM("anywhere")


def test_a_reference_and_a_copy_share_the_engine(served):
    policy, _ = served
    assert policy.reference().server is policy.server is not None


def test_advantages_are_weighed_by_the_truncated_ratio(served):
    policy, _ = served
    rows = policy.sample(PROMPTS, 2, seed=0)
    rows = rows.fill(rewards=torch.arange(float(len(rows))))
    lag = torch.linspace(-1.0, 1.0, rows.mask.numel()).view(rows.mask.shape).to(rows.logp_old)
    drawn = type(rows)(**{**vars(rows), "filled": {**rows.filled, "logp_drawn": rows.logp_old - lag}})
    plain = per_group(zscore)(drawn, Local())
    found = importance_corrected(per_group(zscore), most=1.5)(drawn, Local())["advantages"]
    expected = plain[:, None] * torch.where(rows.mask, lag, 0).exp().clamp(max=1.5)
    assert_close(found, expected.to(found), atol=1e-12, rtol=0)
    assert weights(drawn).max() > 1.5 and weights(drawn).min() < 0.7
    unserved = type(rows)(**{**vars(rows), "filled": {"rewards": rows.rewards}})
    assert torch.equal(importance_corrected(per_group(zscore))(unserved, Local()), per_group(zscore)(unserved, Local()))
