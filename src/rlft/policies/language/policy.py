"""Language: any Hugging Face causal language model as a policy whose decisions are tokens.

Not an inference server and not a trainer: it draws tokens, says how likely they were, and can be saved so that plain
`transformers` loads it. How tokens are drawn is `tokens.sampling` and `rows`, caches are `engines`, scoring is
`tokens.scoring`, text is `text`, folders are `folder`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.noise import branch_keys, row_keys
from rlft.policies.language.adapters import has_adapter, readable
from rlft.policies.language.engines.engine import Engine
from rlft.policies.language.folder import VALUE_HEAD, Loading, load_processor, located, save_model, with_lora
from rlft.policies.language.load import load_model
from rlft.policies.language.reference import Lent, untouched
from rlft.policies.language.remembered import remember
from rlft.policies.language.rows import Begun, demonstrated, firsts, gone_on, prompts_in, recorded
from rlft.policies.language.served import Served, Server
from rlft.policies.language.text import Codec, Prompting, check_known, check_room, fitting, hint_of_chat
from rlft.policies.language.tokens.distance import entropies
from rlft.policies.language.tokens.fused import widened
from rlft.policies.language.tokens.passes import Lengths, passes
from rlft.policies.language.tokens.sampling import Sampling
from rlft.policies.language.tokens.scoring import (
    Asked,
    Causal,
    known_to,
    new_value_head,
    quiet,
    recomputing,
    splittable,
)
from rlft.policies.language.tokens.segments import by_segment
from rlft.policies.perception.blind import Blind
from rlft.policies.perception.choose import front_of
from rlft.policies.perception.front import Front
from rlft.policies.perception.sight import Sight
from rlft.policies.resume import copied, parents
from rlft.types import Policy, Problem, Rollouts, Text, UserError
from rlft.types.values import overlaid


class Language(nn.Module):
    """A causal language model as a policy: a decision is a token, D = max_new_tokens, and EOS is a decision too.

    model           an `AutoModelForCausalLM`, one of `perception.choose.FRONTS`, or a PEFT model around one
    tokenizer       its tokenizer, or its processor where it is shown pictures or sound, see `policies.perception`
    sampling        how tokens are drawn; log-probabilities are those of the distribution drawn from, after temperature
                    and cuts, and the support that cuts left is kept in the trace, ceil(V / 8) bytes a decision. With
                    temperature=0 (for evaluation) no row has a decision on its mask or can be trained on
    prompting       system prompt, chat, stop strings
    critic          a value head on the last hidden state before each decision, linear, zero at first
    value_trains_trunk      the value loss reaches the model too; by default it trains `value_parameters()` alone
    rows            rows to a forward pass while sampling; None takes all at once
    gradient_checkpointing  recompute the model's activations in the backward pass
    logits_at_once  logits that exist at a time when rows are scored (float32: 4 bytes each)
    engine          what runs the model, see `engines.choose`: `Lean`, our own code over its weights where that gives
                    its numbers, is the default; `Plain` is its own code always
    told            fields of `Sampling` and `Prompting` by name: `Language(model, tokenizer, max_new_tokens=64)`

    The model stays in eval mode: with dropout the first ratio would not be 1. Problems are strings or chat messages.
    The trace is `prompt` [N L] and `completion` [N D], padded at the end, `prompt_length` [N] and `support`, see above.
    """

    def __init__(
        self,
        model: Causal,
        tokenizer: Any,
        sampling: Sampling = Sampling(),
        prompting: Prompting = Prompting(),
        *,
        critic: bool = False,
        value_trains_trunk: bool = False,
        rows: int | None = None,
        gradient_checkpointing: bool = False,
        logits_at_once: int = 2**25,
        engine: Callable[[Causal], Engine] | None = None,
        **told: Any,
    ):
        # Here, because transformers, which the engines build on, takes a second to import.
        from rlft.policies.language.engines.choose import Lean

        super().__init__()
        self.model = readable(model)
        splittable(self.causal)
        self.sampling, prompting = overlaid(told, sampling, prompting)
        self.codec = Codec(front_of(self.causal, tokenizer), prompting)
        self.engine = (engine or Lean)(self.causal)
        self.server: Served | None = None
        self.used_with: dict[str, Any] = {}  # options of whoever wraps it, for `remembered`
        self.value_trains_trunk = value_trains_trunk
        self.rows = rows
        self.gradient_checkpointing = gradient_checkpointing
        self.logits_at_once = logits_at_once
        if gradient_checkpointing:
            recomputing(self.causal)
        self.value_head = new_value_head(self.causal) if critic else None
        self.train()

    @classmethod
    def load(
        cls,
        path: str | Path,
        sampling: Sampling = Sampling(),
        prompting: Prompting = Prompting(),
        loading: Loading = Loading(),
        *,
        lora: int | None = None,
        critic: bool = False,
        value_trains_trunk: bool = False,
        rows: int | None = None,
        gradient_checkpointing: bool = False,
        **told: Any,
    ) -> Language:
        """A policy from a folder (a whole model, or a PEFT adapter that names its base) or a hub id.

        `lora` puts new adapters of this rank on a whole model and freezes the rest (needs the extra `lora`); an adapter
        folder goes on training its own. Weights are read from safetensors only. A critic that was saved in the folder
        is loaded with `critic=True`, otherwise it starts at 0. `told` are fields of the three values by name:
        `Language.load(folder, max_new_tokens=64, device="cpu")`.
        """
        from safetensors.torch import load_file

        sampling, prompting, loading = overlaid(told, sampling, prompting, loading)
        place, model = loading.place, load_model(path, loading.dtype, loading.trust_remote_code)
        policy = cls(
            model if lora is None else with_lora(model, lora),
            load_processor(path, model, loading.trust_remote_code),
            sampling,
            prompting,
            critic=critic,
            value_trains_trunk=value_trains_trunk,
            rows=rows,
            gradient_checkpointing=gradient_checkpointing,
        )
        policy.front.hold(policy.causal, loading.tower, has_adapter(policy.model))
        head = Path(located(path)) / VALUE_HEAD
        if policy.value_head is not None and head.is_file():
            policy.value_head.load_state_dict(load_file(head))
        return policy.to(place)

    def save(self, folder: str | Path, *, merge: bool = False) -> None:
        """Write a folder that the auto classes of `transformers` load, and `Language.load`; see `remembered` too.

        With adapters it holds the adapter and the name of its base, unless `merge=True` adds them up.
        """
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model, folder, merge)
        self.front.processor.save_pretrained(folder)
        remember(
            folder, {**vars(self.codec.prompting), "max_new_tokens": self.sampling.max_new_tokens, **self.used_with}
        )
        if self.value_head is not None:
            save_file(self.value_head.state_dict(), folder / VALUE_HEAD)

    def show(self, output: Text) -> dict[str, Any]:
        """The completion with its length."""
        return {"kind": "text", "text": str(output), "truncated": output.truncated, "tokens": len(output.tokens)}

    def placed(self, output: Text, characters: Sequence[int]) -> list[int]:
        """See `types.Writing`."""
        return self.codec.placed(output, characters)

    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """See `types.Illustrating`."""
        return self.front.illustrate(problem)

    def with_sampling(self, **told: Any) -> Language:
        """The same weights, not a copy, drawn from otherwise: greedy or longer rows for evaluation, for instance."""
        view = copy.copy(self)
        view.sampling = replace(self.sampling, **told)
        return view

    def with_model(self, model: Causal) -> Language:
        """Another model under this one's tokenizer and settings; critic, engine and server stay behind."""
        told = {name: getattr(self, name) for name in ("rows", "gradient_checkpointing", "logits_at_once")}
        return Language(model, self.front.processor, self.sampling, self.codec.prompting, **told)

    def served(self, server: Server) -> Language:
        """The same weights, not a copy, whose rows another engine draws; see `policies.language.served`."""
        view = copy.copy(self)
        view.server = Served(server)
        return view

    @property
    def causal(self) -> Causal:
        """The `transformers` model, adapters inside it or not."""
        return self.model.get_base_model() if has_adapter(self.model) else self.model

    @property
    def blocks(self) -> list[nn.Module]:
        """The model's layers, as its architecture names them: what is sharded where one device is too small."""
        names = set(self.causal._no_split_modules or ())
        return [module for module in self.causal.modules() if type(module).__name__ in names]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self.codec.tokenizer

    @property
    def front(self) -> Front | Blind:
        """What the model is shown, and how."""
        return self.codec.front

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def train(self, mode: bool = True) -> Language:
        """As any module, but the model itself stays in eval mode."""
        super().train(mode)
        quiet(self.causal, self.gradient_checkpointing)
        return self

    def check(self, problems: Iterable[Problem]) -> None:
        """UserError for the first problem that could not be sampled: call it on all data before training."""
        for problem in problems:
            self.prompt(problem, self.sampling.max_new_tokens)
            hint_of_chat(self.codec, problem)

    def check_lessons(self, problems: Iterable[Problem]) -> None:
        """UserError for the first problem whose lesson could not be imitated."""
        for problem in problems:
            self.prompt(problem, len(self.codec.lesson(problem)) + 1)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` completions of each problem. A prompt is read once for its group.

        Row p·G + g is drawn with the noise of (seed, problem, g) by inverse CDF, so it does not depend on its
        neighbours, but for the rounding of sums. `UserError` as in `check`; `FloatingPointError` from a model whose
        logits are not numbers.
        """
        prompts = [self.prompt(problem, self.sampling.max_new_tokens) for problem in problems]
        return self._go_on(
            problems, prompts, [[] for _ in prompts], group, row_keys(problems, group, seed, self.device)
        )

    @torch.no_grad()
    def resume(self, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
        """`group` continuations of each row from its token `at` on; see `types.Resumable`.

        Prompt and kept tokens are read once for their group, as they are: nothing is tokenised again. A row may be as
        long as `max_new_tokens` in all, and one that has ended, or holds a stop string, before `at` stays as it is.
        """
        length = torch.tensor([len(output.tokens) for output in rollouts.outputs], device=self.device)
        rows, cut = parents(rollouts, at, length, group)
        prompts, begun = list(prompts_in(rollouts.trace)), firsts(rollouts.trace["completion"], at)
        for problem, prompt in zip(rollouts.problems, prompts, strict=True):
            check_room(problem, prompt, self.sampling.max_new_tokens, self.causal.config)
        keys = branch_keys(rollouts.problems, at, group, seed, self.device)
        made = self._go_on(rollouts.problems, prompts, begun, group, keys)
        both = {"support"} & {*made.trace} & {*rows.trace}
        kept = {name: copied(made.trace[name], rows.trace[name], cut) for name in both}
        return replace(made, trace={**made.trace, **kept})

    def _go_on(
        self, problems: Sequence[Problem], prompts: list[list[int]], tokens: list[list[int]], group: int, keys: Tensor
    ) -> Rollouts:
        """`group` rows for each prompt that go on from these tokens of it, which are not on the mask."""
        limit, ends = self.sampling.max_new_tokens, self.ends.tolist()
        begun = Begun(tokens, [self.codec.over(row, ends) for row in tokens], group, limit)
        draw = gone_on if self.server is None else self.server.gone_on
        drawn = begun.whole(draw(self, problems, prompts, begun, keys))
        lengths, truncated = self.codec.lengths(drawn.tokens[:, :limit], self.ends)
        for i in set(range(len(prompts))) - set(begun.going):
            rows = slice(i * group, (i + 1) * group)
            lengths[rows], truncated[rows] = [len(tokens[i])] * group, [not begun.over[i]] * group
        new = begun.own(torch.tensor(lengths, device=self.device), drawn.tokens.shape[1])
        made = recorded(self, problems, prompts, group, drawn, (lengths, truncated), new)
        if self.server is None:
            return made
        return replace(made, logp_old=self.log_prob(made)).fill(logp_drawn=made.logp_old)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """log p(token | prompt, tokens before it) under the distribution tokens are drawn from; 0 off the mask.

        One forward over prompt and completion; the head sees the decisions only, `logits_at_once` logits at a time.
        float32 where the model is in half precision. Equal to `logp_old` while the weights are (float64 to 1e-9,
        float32 to 5e-5: a cached decoder sums in another order than a full forward).
        """
        return self._score(rollouts, self.sampling.temperature or 1.0, rollouts.trace.get("support"))

    def value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The expected reward from each decision on, seen before it; 0 off the mask. Needs `critic=True`."""
        if (head := self.value_head) is None:
            raise UserError("this language policy has no critic: build or load it with critic=True")
        with nullcontext() if self.value_trains_trunk else torch.no_grad():
            hidden, at = self.decisions(rollouts)
        values = head(hidden.to(head.weight.dtype))[:, 0]
        return values.new_zeros(rollouts.mask.shape).index_put(at, values)

    def states(self, rollouts: Rollouts) -> Float[Tensor, "N D H"]:
        """What the head sees before each decision, differentiable; 0 off the mask. See `types.HasStates`."""
        hidden, at = self.decisions(rollouts)
        hidden = widened(hidden)
        return hidden.new_zeros(*rollouts.mask.shape, hidden.shape[1]).index_put(at, hidden)

    @torch.no_grad()
    def entropy(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """That of the next token at each decision, at temperature 1 and without cuts; see `types.HasEntropy`."""
        hidden, at = self.decisions(rollouts)
        found = entropies(self.causal, hidden, self.logits_at_once)
        return found.new_zeros(rollouts.mask.shape).index_put(at, found)

    def value_parameters(self) -> Iterable[nn.Parameter]:
        """The value head's parameters; none without `critic=True`."""
        return () if self.value_head is None else self.value_head.parameters()

    def packed(self, rollouts: Rollouts, budget: int, together: bool) -> list[list[int]]:
        """Forward passes of at most `budget` tokens; see `types.Packing`. How tokens count is the engine's affair."""
        places = torch.arange(1, rollouts.mask.shape[1] + 1, device=rollouts.mask.device)
        own = (rollouts.mask * places).amax(1).tolist() if len(rollouts) else []
        lengths = zip(rollouts.trace["prompt_length"].tolist(), own, strict=True)
        rows = [Lengths(i, i // rollouts.group, prompt, count) for i, (prompt, count) in enumerate(lengths)]
        return passes(rows, budget, together, self.engine.cost())

    @torch.no_grad()
    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """One row for each problem whose completion is its lesson and an end-of-sequence token; `seed` is not used.

        D is the longest lesson. Where top_k or top_p cut, a demonstration's support is the whole vocabulary.
        """
        rollouts = self.lessons(problems)
        return replace(rollouts, logp_old=self.log_prob(rollouts))

    def lessons(self, problems: Sequence[Problem]) -> Rollouts:
        """The same without saying how likely they were, which imitation has no use for."""
        answers = [self.codec.lesson(problem) + self.ends[:1].tolist() for problem in problems]
        prompts = [self.prompt(problem, len(answer)) for problem, answer in zip(problems, answers, strict=True)]
        return demonstrated(self, problems, prompts, answers)

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """-log softmax(logits)[token] of each decision, whatever the temperature and the cuts; 0 off the mask."""
        return -self._score(rollouts, 1.0, None)

    def reference(self) -> Policy:
        """The policy as it is now, without gradient.

        With adapters that have not been trained it is the base, lent; with trained ones the base with a copy of them;
        without adapters a frozen copy of everything.
        """
        if has_adapter(self.model):
            return Lent(self, self.model, untouched(self.model))
        # A tower that does not learn is the same for both, and so is what it gave.
        shared = {id(part): part for part in (self.codec, self.server, *self.front.still(self.causal))}
        return copy.deepcopy(self, shared).requires_grad_(False)

    @property
    def ends(self) -> Int[Tensor, "E"]:
        """The token ids that end a row: the tokenizer's EOS first, then those of the generation config."""
        listed = [self.tokenizer.eos_token_id, getattr(self.causal.generation_config, "eos_token_id", None)]
        flat = [i for ids in listed if ids is not None for i in (ids if isinstance(ids, list) else [ids])]
        return torch.tensor(list(dict.fromkeys(flat)), dtype=torch.long, device=self.device)

    def decisions(self, rollouts: Rollouts) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The hidden state [M H] before each decision on the mask, and their rows and places."""
        row, place = rollouts.mask.to(self.device).nonzero(as_tuple=True)
        prompt, length, completion = (
            rollouts.trace[name].to(self.device) for name in ("prompt", "prompt_length", "completion")
        )
        asked = Asked(prompt, length, completion, row, place, self.sight(rollouts.problems, prompts_in(rollouts.trace)))
        if "context" in rollouts.trace:
            asked = by_segment(asked, rollouts.trace)
        return self.engine.hidden(asked, self.gradient_checkpointing), (row, place)

    def _score(self, rollouts: Rollouts, temperature: float, support: Tensor | None) -> Tensor:
        hidden, at = self.decisions(rollouts)
        tokens = rollouts.trace["completion"].to(self.device)[at]
        support = None if support is None else support.to(self.device)[at]
        logp = self.engine.log_probs(hidden, tokens, temperature, support, self.logits_at_once)
        return logp.new_zeros(rollouts.mask.shape).index_put(at, logp)

    def sight(self, problems: Sequence[Problem], prompts: Iterable[Sequence[int]]) -> Sight | None:
        """What the decoder is given for what these problems show; None of a model that reads text alone."""
        return self.front.sight(self.causal, problems, prompts)

    def prompt(self, problem: Problem, room: int) -> list[int]:
        """The prompt's tokens, if the model can read them and `room` more."""
        tokens = fitting(self.codec, problem, room, self.causal.config)
        check_known(problem, tokens, known_to(self.causal))
        return tokens
