"""Speculative sampling: a small model drafts several tokens, the policy reads them at once and keeps what it may.

Exact: rows come from the policy's own distribution, whatever drafts (Leviathan et al. 2022, arXiv:2211.17192; Chen et
al. 2023, arXiv:2302.01318; for emulated fine-tuning, with the small tuned model as the draft, arXiv:2310.12962,
Sec. 4.5). Not another distribution: another way to draw from one, with other noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.noise import row_keys, uniform
from rlft.policies.language.blocks import Reader, reading
from rlft.policies.language.mixed_causal import MixedCausal, same_vocabulary
from rlft.policies.language.policy import Language
from rlft.policies.language.rows import recorded
from rlft.policies.language.text import padded
from rlft.policies.language.tokens.sampling import Drawn, Sampling, chosen, pack
from rlft.policies.language.tokens.scoring import Causal, known_to, remembering, widened
from rlft.types import Problem, Rollouts, UserError

# What a decision's three numbers of noise are for.
_DRAFT, _TEST, _REPLACE = range(3)


@dataclass
class Tally:
    """What drafting came to.

    rounds    of a batch of rows
    reads     of single rows, each a call of every model but the draft: what the rounds would be one row at a time
    tested    drafted tokens that were put to the test: those behind one that failed are not
    accepted  those that passed
    """

    rounds: int = 0
    reads: int = 0
    tested: int = 0
    accepted: int = 0

    @property
    def rate(self) -> float:
        """The share of tested tokens that passed; on average 1 - TV(q, p)."""
        return self.accepted / self.tested if self.tested else math.nan


class Speculative(nn.Module):
    """A language policy sampled through a draft model.

    A token x that q drafted stays with probability min(1, p(x)/q(x)). The first that does not is replaced by a draw
    from (p - q)+, normalised; if all stay, one more is drawn from p.

    policy   whose distribution p rows have, with its temperature and cuts, which q gets too; a mix or a single model
    draft    a language model of the same vocabulary; as a member of the mix it is not asked twice
    ahead    tokens drafted in a round, each one call of the draft; the other models read them in one. 0 drafts none

    `tally` adds up over calls. Every decision has noise of its own for the draft, the test and the replacement; if it
    is drafted again after an earlier one failed, it meets the same noise, on which nothing before it depended. So rows
    do not depend on their neighbours, and `ahead` decides which of two equally good rows is drawn.
    """

    def __init__(self, policy: Language, draft: Language, ahead: int = 4):
        super().__init__()
        if ahead < 0:
            raise UserError(f"ahead={ahead}: a draft is of 0 tokens or more")
        same_vocabulary(policy.tokenizer, draft.tokenizer)
        self.policy, self.ahead = policy, ahead
        # In a tuple, so that its weights are not this module's.
        self.draft = (draft,)
        self.tally = Tally()
        self.models: _Models | None = None

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The policy's."""
        return self.policy.log_prob(rollouts)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` completions of each problem, distributed as the policy's own, with the same trace."""
        policy, limit = self.policy, self.policy.sampling.max_new_tokens
        policy.front.alone_with("speculative sampling")
        prompts = [policy.prompt(problem, limit) for problem in problems]
        u = uniform(row_keys(problems, group, seed, policy.device), 3 * limit).unflatten(1, (limit, 3))
        self.models = self.models or _Models(policy.causal, self.draft[0].causal)
        page = _Page(u, policy, self.models.vocabulary)
        with remembering(policy.causal), remembering(self.draft[0].causal):
            for rows in torch.arange(len(u), device=u.device).split(policy.rows or len(u)):
                some = prompts[int(rows[0]) // group : int(rows[-1]) // group + 1]
                read = padded(some, policy.device), [len(prompt) for prompt in some]
                page.begin(rows, self.models.start(*read, limit, rows // group - rows[0] // group))
                while (going := page.going()) is not None:
                    self.models.keep(going)
                    self._round(page, self.models)
        drawn = page.drawn()
        return recorded(policy, problems, prompts, group, drawn, policy.codec.lengths(drawn.tokens, policy.ends))

    def _round(self, page: _Page, models: _Models) -> None:
        """Draft, read, test, replace, and have the models forget the rest."""
        drafts = (page.left - 1).clamp(max=self.ahead)  # of each row: none past its last decision
        ahead = int(drafts.max())
        tokens, said, q = [page.pending], [], []
        for j in range(ahead):
            said.append(models.draft(tokens[-1]))
            q.append(page.scores(said[-1]))
            tokens.append(chosen(q[-1].exp(), page.noise(j, _DRAFT)))
        said.append(models.draft(tokens[-1]))
        block = torch.stack(tokens, dim=1)
        p = page.scores(models.read(block, torch.stack(said, dim=1)))
        # Behind a row's last draft comes a token that nobody drafted.
        q = torch.stack([*q, torch.full_like(p[:, 0], -math.inf)], dim=1)
        drafted = torch.arange(ahead + 1, device=q.device) < drafts[:, None]
        q = q.masked_fill(~drafted[..., None], -math.inf)
        kept = self._kept(page, block[:, 1:], p, q, drafts)
        row = torch.arange(len(kept), device=kept.device)
        new = chosen(residual(p[row, kept], q[row, kept]), page.noise(kept, _REPLACE))
        models.back(ahead + 1, kept + 1)
        written = torch.cat([block[:, 1:], block[:, :1]], dim=1).scatter(1, kept[:, None], new[:, None])
        page.write(written, p, kept + 1)

    def _kept(self, page: _Page, drafted: Tensor, p: Tensor, q: Tensor, drafts: Tensor) -> Int[Tensor, "n"]:
        """How many drafted tokens stay, before the first that does not."""
        kept = torch.zeros_like(drafts)
        for j in range(drafted.shape[1]):
            ratio = (p[:, j] - q[:, j]).gather(1, drafted[:, j, None])[:, 0].exp()
            kept += (kept == j) & (j < drafts) & (page.noise(j, _TEST) < ratio)
        self.tally.rounds += 1
        self.tally.reads += len(kept)
        self.tally.tested += int((kept + (kept < drafts)).sum())
        self.tally.accepted += int(kept.sum())
        return kept


def residual(p: Float[Tensor, "n V"], q: Float[Tensor, "n V"]) -> Float[Tensor, "n V"]:
    """(p - q)+ of log-probabilities, not normalised; p where nothing is left of it but rounding."""
    left = (p.exp() - q.exp()).clamp(min=0)
    return torch.where(left.sum(-1, keepdim=True) > 0, left, p.exp())


class _Models:
    """The draft and the policy's models, which have all read the same tokens."""

    def __init__(self, causal: Causal, draft: Causal):
        several = isinstance(causal, MixedCausal)
        members = causal.base_model.members if several else [causal]
        self.mixed: Callable[[list[Tensor]], Tensor] = causal.mixed if several else lambda scores: scores[0]
        self.vocabulary = causal.get_output_embeddings().weight.shape[0]
        self.known = known_to(draft)
        self.own = [_same_weights(member, draft) for member in members]
        self.ways = [reading(draft), *(reading(m) for m, own in zip(members, self.own, strict=True) if not own)]

    def start(self, tokens: Tensor, lengths: list[int], room: int, owner: Tensor) -> Float[Tensor, "n V"]:
        """The policy's logits after the prompts of these rows."""
        self.readers: list[Reader] = [way() for way in self.ways]
        said, *others = [reader.start(tokens, lengths, room)[owner] for reader in self.readers]
        self.keep(owner)
        return self._together(said, others)

    def keep(self, rows: Tensor) -> None:
        for reader in self.readers:
            reader.keep(rows)

    def draft(self, token: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        """The draft's logits after one more token; one it does not know is read as its last, for any q is right."""
        return self.readers[0].read(token.clamp(max=self.known - 1)[:, None])[:, 0]

    def read(self, tokens: Int[Tensor, "n b"], said: Float[Tensor, "n b _"]) -> Float[Tensor, "n b V"]:
        """The policy's logits after each of these tokens, after which the draft `said` its own."""
        return self._together(said, [reader.read(tokens) for reader in self.readers[1:]])

    def back(self, read: int, kept: Int[Tensor, "n"]) -> None:
        for reader in self.readers:
            reader.back(read, kept)

    def _together(self, said: Tensor, others: list[Tensor]) -> Tensor:
        rest = iter(others)
        return self.mixed([said if own else next(rest) for own in self.own])


@dataclass
class _Page:
    """The rows that are filled, and which of them are `live`."""

    u: Float[Tensor, "N D 3"]
    policy: Language
    vocabulary: int
    live: Int[Tensor, "n"] = field(init=False)

    def __post_init__(self) -> None:
        (rows, limit, _), device = self.u.shape, self.u.device
        self.sampling: Sampling = self.policy.sampling
        self.count = torch.zeros(rows, dtype=torch.long, device=device)
        self.tokens = torch.zeros(rows, limit, dtype=torch.long, device=device)
        dtype = widened(self.policy.causal.get_output_embeddings().weight[:0, :0]).dtype
        self.logp = torch.zeros(rows, limit, dtype=dtype, device=device)
        width = (self.vocabulary + 7) // 8
        cut = self.sampling.truncates
        self.bits = torch.zeros(rows, limit, width, dtype=torch.uint8, device=device) if cut else None
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)

    @property
    def left(self) -> Int[Tensor, "n"]:
        """Decisions that each live row may still take."""
        return self.u.shape[1] - self.count[self.live]

    @property
    def pending(self) -> Int[Tensor, "n"]:
        """The last token of each live row, which no model has read."""
        return self.tokens[self.live, self.count[self.live] - 1]

    def noise(self, ahead: Int[Tensor, "n"] | int, kind: int) -> Float[Tensor, "n"]:
        """Of the live rows' decision so far `ahead`; beyond the limit, where nothing is kept, of the last."""
        return self.u[self.live, (self.count[self.live] + ahead).clamp(max=self.u.shape[1] - 1), kind]

    def scores(self, logits: Float[Tensor, "*n _"]) -> Float[Tensor, "*n V"]:
        """log-probabilities of what is drawn from: -inf outside the support, and for tokens the policy has not got."""
        scores = nn.functional.pad(logits, (0, max(self.vocabulary - logits.shape[-1], 0)), value=-math.inf)
        scores = scores[..., : self.vocabulary]
        return self.sampling.shaped(scores.flatten(0, -2))[0].view(scores.shape)

    def begin(self, rows: Int[Tensor, "n"], logits: Float[Tensor, "n V"]) -> None:
        """Draw the first token of these rows."""
        self.live = rows
        p = self.scores(logits)
        token = chosen(p.exp(), self.noise(0, _REPLACE))
        self.write(token[:, None], p[:, None], torch.ones_like(rows))

    def write(self, tokens: Int[Tensor, "n b"], p: Float[Tensor, "n b V"], kept: Int[Tensor, "n"]) -> None:
        """Append the first `kept` tokens of the live rows, up to the limit; see which rows have ended."""
        j = torch.arange(tokens.shape[1], device=tokens.device)
        place = self.count[self.live][:, None] + j
        row, column = ((j < kept[:, None]) & (place < self.u.shape[1])).nonzero(as_tuple=True)
        at = self.live[row], place[row, column]
        self.tokens[at] = tokens[row, column]
        self.logp[at] = p[row, column, tokens[row, column]].to(self.logp.dtype)
        if self.bits is not None:
            self.bits[at] = pack(p[row, column] > -math.inf)
        self.count[self.live] = (self.count[self.live] + kept).clamp(max=self.u.shape[1])
        written = (j < kept[:, None]) & torch.isin(tokens, self.policy.ends)
        self.ended[self.live] |= written.any(1) | (self.count[self.live] == self.u.shape[1])
        if self.policy.codec.stop:
            longest = self.tokens[self.live, : int(self.count[self.live].max())]
            self.ended[self.live] |= self.policy.codec.any_stopped([[]] * len(self.u), self.live, longest)

    def drawn(self) -> Drawn:
        """All rows, as wide as the longest."""
        width = int(self.count.max())
        return Drawn(self.tokens[:, :width], self.logp[:, :width], None if self.bits is None else self.bits[:, :width])

    def going(self) -> Int[Tensor, "m"] | None:
        """Which of the live rows go on, and from now on alone are live; None if none does."""
        stay = (~self.ended[self.live]).nonzero()[:, 0]
        self.live = self.live[stay]
        return stay if len(stay) else None


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models are views of the same weights."""
    ours, theirs = ([p.data_ptr() for p in model.parameters()] for model in (one, other))
    return ours == theirs
