"""A front: from what problems show to what a model's decoder embeds for it. Abstract; a family's is its own class.

Three steps. What is shown becomes tensors for the tower and a text that stands for it in the prompt (`read`), once for
a problem. The tower makes embeddings of the tensors, once for a problem while its weights stay, by the model's own code
(`sight`). The trunk reads them in the places of the prompt that stand for them, with the positions and masks that the
family wants (`states`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.policies.perception.kept import Kept, Looked, numbers_in
from rlft.policies.perception.media import Encoded, Shown, in_columns, kind_of, parts_of, shown_in
from rlft.policies.perception.sight import Laid, Seen, Sight
from rlft.policies.perception.thumbnails import illustrated
from rlft.policies.perception.towers import Given, Tower, learns
from rlft.policies.perception.trial import prove
from rlft.types import Problem, UserError

Trained = Literal["frozen", "projector", "trained"]
# Numbers that are kept of what towers read.
_READ = 2**26


class Front(ABC):
    """What a model with a tower is shown.

    kind        what it is shown: image or audio
    processor   the model's own, or the parts of it that are there
    tower       what the model's tower gave, and how often it has run
    """

    kind: ClassVar[str]
    # What the model's own code remembers of the last prompt, and would give to another batch.
    forgets: ClassVar[tuple[str, ...]] = ()

    def __init__(self, processor: Any):
        self.processor, self.read_before, self.proved = processor, Kept(_READ), False
        self.tower = Tower(self.tokenizer.convert_tokens_to_ids(self.symbol))

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @property
    @abstractmethod
    def symbol(self) -> str:
        """The token whose embeddings the tower's take the place of."""

    @property
    def mark(self) -> str:
        """What a chat template writes for one thing shown."""
        return self.symbol

    @property
    def alone(self) -> str:
        """What stands for one thing shown in a prompt that is plain text."""
        return self.mark

    @abstractmethod
    def read(self, shown: Sequence[Shown]) -> Looked:
        """What the tower reads of these, and what stands for each in the place of its mark."""

    @abstractmethod
    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        """The tower, and what comes between it and the decoder."""

    @abstractmethod
    def states(self, model: Any, laid: Laid, mask: Tensor | None, cache: Any) -> Float[Tensor, "n S H"]:
        """See `sight.Reads`."""

    def positions(self, model: Any, tokens: Int[Tensor, "1 L"], looked: Looked) -> Int[Tensor, "3 L"] | None:
        """The rotary positions of a prompt, where they are not those of a text."""
        return None

    def told(self, tokens: Int[Tensor, "1 L"]) -> dict[str, Any]:
        """What the model's own code wants to be told of a prompt besides."""
        return {}

    @final
    def looked(self, problem: Problem) -> Looked:
        """What this problem shows; the same object until it is forgotten, also at another visit to the problem."""
        while isinstance(problem.input, Encoded) and problem.input.asked is not None:
            problem = problem.input.asked
        key = id(problem.input), id(problem.columns)
        kept = self.read_before.get(key)
        if kept is None:
            shown = shown_in(problem)
            for one in shown:
                if one.kind != self.kind:
                    raise UserError(f"the model is shown {self.kind}, and problem {problem.index} shows {one.kind}")
            looked = self.read(shown) if shown else Looked({}, [])
            # With the problem, so that no other's input gets its id while this is kept.
            kept = problem, looked
            self.read_before.put(key, kept, numbers_in(looked.features) + 1)
        return kept[1]

    @final
    def shows(self, problem: Problem) -> bool:
        """Whether this problem shows something."""
        return bool(self.looked(problem).texts)

    @final
    def placed(self, problem: Problem, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Messages for a chat template: what is shown as bare parts, that of the columns before the last user's text.

        Where the texts hold as many marks as the columns show things, these are the places.
        """
        bare = [{**message} for message in messages]
        for message in filter(parts_of, bare):
            message["content"] = [_bare(part) for part in parts_of(message)]
        if any(kind_of(part) for message in messages for part in parts_of(message)):
            return bare
        shown = in_columns(problem)
        users = [i for i, message in enumerate(bare) if message["role"] == "user"]
        if not shown or sum(_written(message).count(self.mark) for message in bare) == len(shown):
            return bare
        if not users:
            raise UserError(f"problem {problem.index} shows something, and no message of it is a user's")
        last = bare[users[-1]]
        own = last["content"] if parts_of(last) else [{"type": "text", "text": last["content"]}]
        last["content"] = [*(_bare({"type": one.kind}) for one in shown), *own]
        return bare

    @final
    def before(self, problem: Problem, text: str) -> str:
        """A plain text with a mark for each thing that the problem shows, at its beginning if it has none."""
        count = len(in_columns(problem))
        return text if text.count(self.mark) == count else self.alone * count + text

    @final
    def expanded(self, problem: Problem, text: str) -> str:
        """A written prompt in which what stands for each thing shown has taken its mark's place."""
        looked = self.looked(problem)
        pieces = re.split(re.escape(self.mark), text)
        if len(pieces) - 1 != len(looked.texts):
            raise UserError(
                f"problem {problem.index} shows {len(looked.texts)} of kind {self.kind}, and its prompt has "
                f"{len(pieces) - 1} places for it ({self.mark}); the chat template should write one for each"
            )
        return pieces[0] + "".join(one + piece for one, piece in zip(looked.texts, pieces[1:], strict=True))

    @final
    def hold(self, model: Any, tower: Trained, adapters: bool) -> None:
        """Have nothing of the tower learn, or what comes behind it, or all; with adapters nothing may."""
        if adapters and tower != "frozen":
            raise UserError(f"--tower {tower} is for models that are trained whole: an adapter has none of its weights")
        body, between = self.parts(model)
        if not adapters:
            for part in {"frozen": [body, *between], "projector": [body], "trained": []}[tower]:
                part.requires_grad_(False)

    @final
    def still(self, model: Any) -> list[nn.Module]:
        """The tower and what comes behind it, if none of it learns."""
        tower, between = self.parts(model)
        return [] if any(map(learns, (tower, *between))) else [tower, *between]

    @final
    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """See `types.Illustrating`."""
        return illustrated(problem, shown_in(problem))

    @final
    def alone_with(self, what: str) -> None:
        """UserError: what is named knows text alone."""
        raise UserError(f"{what} is for models that read text alone, and this one is shown {self.kind}")

    @final
    def sight(self, model: Any, problems: Sequence[Problem], prompts: Iterable[Sequence[int]]) -> Sight:
        """What the decoder is given for the rows of these problems, whose prompts begin with these tokens."""
        read, known, owner = dict[tuple[int, ...], int](), list[tuple[Looked, Sequence[int]]](), list[int]()
        for problem, prompt in zip(problems, prompts, strict=True):
            looked = self.looked(problem)
            place = read.setdefault((looked.digest, *prompt), len(known))
            if place == len(known):
                known.append((looked, prompt))
            owner.append(place)
        given = self._given(model, {looked.digest: looked for looked, _ in known if looked.texts})
        each = [self._seen(model, looked, prompt, given.get(looked.digest)) for looked, prompt in known]
        sight = Sight(self, each, torch.tensor(owner, dtype=torch.long, device=_embeddings(model).device))
        if given and not self.proved:
            first = next(i for i, (looked, _) in enumerate(known) if looked.texts)
            self._prove(model, Sight(self, each, sight.owner.new_tensor([first])), *known[first])
        return sight

    @final
    def glance(self, model: Any, problems: Iterable[Problem]) -> None:
        """Run a tower that does not learn for all these problems at once; see `Tower.glance`."""
        looked = [one for one in map(self.looked, problems) if one.texts]
        self.tower.glance(model, self.parts(model), looked, list(map(self._count, looked)))

    def _count(self, looked: Looked) -> int:
        """The places in a prompt of what is shown."""
        return sum(text.count(self.symbol) for text in looked.texts)

    def _prove(self, model: Any, sight: Sight, looked: Looked, prompt: Sequence[int]) -> None:
        tokens = torch.tensor([prompt], dtype=torch.long, device=sight.owner.device)
        features = self.tower.told(self.parts(model)[0], looked)
        prove(model, sight, tokens, {**features, **self.told(tokens)})
        for name in self.forgets:
            setattr(model.base_model, name, None)
        self.proved = True

    def _given(self, model: Any, looked: Mapping[int, Looked]) -> dict[int, Given]:
        if not looked:
            return {}
        each = list(looked.values())
        given = self.tower.given(model, self.parts(model), each, list(map(self._count, each)))
        return dict(zip(looked, given, strict=True))

    def _seen(self, model: Any, looked: Looked, prompt: Sequence[int], given: Given | None) -> Seen:
        weight = _embeddings(model)
        tokens = torch.tensor([prompt], dtype=torch.long, device=weight.device)
        if given is None:
            return Seen(tokens[0, :0], weight[:0], (), None, len(prompt))
        count = len(given.embedding)
        # A row may say the symbol itself, later: that is a token like any other.
        place = (tokens[0] == self.tower.symbol).nonzero()[:count, 0]
        if len(place) < count:
            raise UserError(f"a prompt has {len(place)} places for what its problem shows, which takes {count}")
        return Seen(place, given.embedding, given.layers, self.positions(model, tokens, looked), len(prompt))


def _bare(part: Any) -> Any:
    """A part without what it shows: a template looks at its kind, or whether it names something."""
    kind = kind_of(part)
    return part if kind is None else {"type": kind, kind: kind}


def _written(message: Mapping[str, Any]) -> str:
    """The text of a message."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in parts_of(message) if isinstance(part, Mapping))


def _embeddings(model: Any) -> Tensor:
    return model.get_input_embeddings().weight
