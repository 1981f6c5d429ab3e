"""Rows drawn by another engine with our weights: the seam, and vLLM's offline engine behind it. Scores nothing.

    policy = Language.load(folder).served(VLLM(folder, memory=0.4))

is a policy like any other: `sample` sends prompts as token ids, with the weights as they are at that moment, and gets
token ids back. Another engine rounds otherwise, so what it says a token's log-probability was differs from the policy's
own by percents in half precision. `logp_old` is then the policy's, computed again from the rows, and the engine's
stays beside it in the column `logp_drawn`, from which `advantages.correction` weighs and the log reads the mismatch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.policies.language.adapters import has_adapter
from rlft.policies.language.rows import Begun, Drawing
from rlft.policies.language.text import padded
from rlft.policies.language.tokens.sampling import Drawn, Sampling
from rlft.policies.language.tokens.scoring import Causal
from rlft.types import Problem, UserError

_POSITIVE = (1 << 63) - 1


class Request(NamedTuple):
    """A row to be drawn: the token ids before it, how many may follow, and the seed of its noise."""

    tokens: list[int]
    room: int
    seed: int


@runtime_checkable
class Server(Protocol):
    """Whatever completes token ids with weights that it is given."""

    def load(self, weights: Iterator[tuple[str, Tensor]]) -> None:
        """Take these weights, named as the model's folder names them, and forget what was computed with others."""
        ...

    def complete(
        self, rows: Sequence[Request], sampling: Sampling, ends: Sequence[int]
    ) -> list[tuple[list[int], list[float]]]:
        """For each row the tokens drawn, the one of `ends` that ended it included, and the log-probability of each
        under the distribution it was drawn from."""
        ...


class Served:
    """A server and what it has been given. It is handed weights when a parameter has been written to since."""

    def __init__(self, server: Server):
        self.server = server
        self.known: list[tuple[int, int]] | None = None

    def gone_on(
        self,
        policy: Drawing,
        problems: Sequence[Problem],
        prompts: Sequence[list[int]],
        begun: Begun,
        keys: Int[Tensor, "N"],
    ) -> Drawn:
        """As `rows.gone_on`, by the server: rows of equal prompts stand together, so that it reads them once."""
        policy.codec.front.alone_with("another engine (--engine vllm)")
        self._refresh(policy.model)
        seeds = keys.view(-1, begun.group).tolist()
        rows = [
            Request(prompts[i] + begun.tokens[i], begun.limit - len(begun.tokens[i]), seed & _POSITIVE)
            for i in begun.going
            for seed in seeds[i]
        ]
        made = self.server.complete(rows, policy.sampling, policy.ends.tolist()) if rows else []
        _check(rows, made)
        tokens = padded([row for row, _ in made], policy.device)
        logp = torch.zeros(tokens.shape, dtype=torch.float32, device=policy.device)
        for i, (_, each) in enumerate(made):
            logp[i, : len(each)] = torch.tensor(each)
        return Drawn(tokens, logp, None)

    def _refresh(self, model: Causal) -> None:
        now = [(p.data_ptr(), p._version) for p in model.parameters()]
        if now != self.known:
            self.server.load(weights_of(model))
            self.known = now


def _check(rows: Sequence[Request], made: Sequence[tuple[list[int], list[float]]]) -> None:
    if len(made) != len(rows):
        raise RuntimeError(f"the engine was asked for {len(rows)} rows and gave {len(made)}")
    for row, (tokens, logp) in zip(rows, made, strict=True):
        if not 0 < len(tokens) == len(logp) <= row.room:
            raise RuntimeError(
                f"the engine gave {len(tokens)} tokens and {len(logp)} log-probabilities for a row with room for "
                f"{row.room}"
            )


@torch.no_grad()
def weights_of(model: Causal) -> Iterator[tuple[str, Tensor]]:
    """Every weight under the name that a folder of the whole model gives it; adapters are added up, one at a time.

    What is added up is a new tensor: adding to the model and taking away again would leave rounding in it.
    """
    if not has_adapter(model):
        yield from ((name, p.detach()) for name, p in model.named_parameters())
        return
    base = model.get_base_model()
    tuned: dict[str, Any] = {name: m for name, m in base.named_modules() if hasattr(m, "get_delta_weight")}
    for name, parameter in base.named_parameters():
        owner, layer, last = name.rpartition(".base_layer.")
        if layer and owner in tuned:
            added = parameter.detach()
            for adapter in tuned[owner].active_adapters if last == "weight" else ():
                added = added + tuned[owner].get_delta_weight(adapter).to(added)
            yield f"{owner}.{last}", added
        elif ".lora_" not in name:
            yield name, parameter.detach()


class VLLM:
    """vLLM's offline engine in this process and on this device, with weights of its own beside the policy's.

    model     the folder or hub id that the policy came from: architecture and first weights
    memory    the share of the device's memory that it may take, for weights and cache
    dtype     of its weights
    context   the longest row; by default the model's
    engine    options of `vllm.LLM`, over these

    It needs one GPU, vLLM 0.10.2 or newer, and top_p = 1, top_k = 0, min_p = 0: which tokens a cut leaves it does not
    tell, and without them a row cannot be scored again. Stop strings are cut off behind it, when rows are complete.
    """

    def __init__(
        self, model: str | Path, *, memory: float = 0.4, dtype: str = "auto", context: int | None = None, **engine: Any
    ):
        # In this process, so that weights are handed over and not sent.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        vllm = _vllm()
        self.row: Callable[..., Any] = vllm.SamplingParams
        told = {
            "model": str(model),
            "dtype": dtype,
            "gpu_memory_utilization": memory,
            "max_model_len": context,
            "skip_tokenizer_init": True,
            "enable_prefix_caching": True,
            "logprobs_mode": "processed_logprobs",  # of what is drawn from: after the temperature
            "generation_config": "vllm",
        }
        self.llm = vllm.LLM(**{**told, **engine})

    def load(self, weights: Iterator[tuple[str, Tensor]]) -> None:
        """See `Server`."""
        worker: Any = self.llm.llm_engine.model_executor.driver_worker.model_runner.model
        worker.load_weights(weights)
        self.llm.reset_prefix_cache()

    def complete(
        self, rows: Sequence[Request], sampling: Sampling, ends: Sequence[int]
    ) -> list[tuple[list[int], list[float]]]:
        """See `Server`."""
        if sampling.truncates:
            raise UserError(
                "vLLM does not say which tokens top_p, top_k or min_p left: draw with top_p=1, top_k=0 and min_p=0"
            )
        asked = [
            self.row(
                temperature=sampling.temperature,
                max_tokens=row.room,
                seed=row.seed,
                logprobs=0,  # the drawn token's
                stop_token_ids=list(ends),
                ignore_eos=True,
                detokenize=False,
            )
            for row in rows
        ]
        prompts = [{"prompt_token_ids": row.tokens} for row in rows]
        made = [output.outputs[0] for output in self.llm.generate(prompts, asked, use_tqdm=False)]
        return [
            (
                list(row.token_ids),
                [each[token].logprob for each, token in zip(row.logprobs, row.token_ids, strict=True)],
            )
            for row in made
        ]


def _vllm() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise UserError("drawing rows with vLLM needs vllm and a GPU: pip install 'rlft[vllm]'") from error
    return vllm
