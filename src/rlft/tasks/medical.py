"""Sentences of medicine in hard words, and the same in plain ones. A small grammar, not a corpus.

In nine places a sentence has a word that few people use, and another that all do; a clause hangs on it that can stand
alone; and it has facts, a drug and three numbers, which nobody may change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.types import Problem

# place -> its choices, hard and plain; an empty text leaves it out
PLACES: Mapping[str, Sequence[tuple[str, str]]] = {
    "who": (
        (" the physician", " the doctor"),
        (" the practitioner", " the nurse"),
        (" the pharmacist", " the chemist"),
    ),
    "when": ((" subsequently", ""), (" consequently", ""), (" routinely", ""), (" initially", " first")),
    "did": (
        (" administered", " gave"),
        (" prescribed", " ordered"),
        (" recommended", " chose"),
        (" dispensed", " sold"),
    ),
    "way": ((" oral", " swallowed"), (" topical", " rubbed on"), (" intravenous", " injected"), (" nasal", " nose")),
    "to": (
        (" the adolescent", " the teen"),
        (" the infant", " the baby"),
        (" the geriatric patient", " the old patient"),
        (" the expectant mother", " the woman"),
    ),
    "link": ((" , which", " . it"), (" , thereby it", " . it")),
    "changed": (
        (" alleviated", " eased"),
        (" diminished", " cut"),
        (" eliminated", " ended"),
        (" exacerbated", " worsened"),
    ),
    "part": (
        (" abdominal", " belly"),
        (" cardiac", " heart"),
        (" pulmonary", " lung"),
        (" renal", " kidney"),
        (" dermal", " skin"),
    ),
    "trouble": (
        (" discomfort", " pain"),
        (" inflammation", " swelling"),
        (" haemorrhage", " bleeding"),
        (" hypertension", " high blood pressure"),
    ),
}
DRUGS = ("aspirin", "insulin", "codeine", "heparin", "lithium", "quinine", "ibuprofen", "paracetamol")
DOSES, WEEKS, DAYS = range(20, 100, 10), range(2, 10), range(11, 20)
_FRAME = "{who}{when}{did} {dose} mg of{way} {drug} to{to} for {weeks} weeks{link}{changed} the{part}{trouble} within "
_FRAME += "{days} days ."
_SPLITS = ("train", "test")
MARK = " ="
_HARD = 7  # places in ten of a sentence as it is found
Meaning = Mapping[str, int]


class Medical:
    """Sentences to be put plainly, `the physician subsequently gave … .` and ` =`.

    The answer is the sentence with every place plain; `columns["source"]` is the sentence alone, `["facts"]` its drug
    and numbers, `["meaning"]` what the grammar made it of. The splits are halves of all sentences, by a hash.
    """

    def __init__(self, split: str = "train", size: int | None = None):
        if split not in _SPLITS:
            raise UserError(f"medical sentences have the splits {', '.join(_SPLITS)}; not {split!r}")
        self.name, self.split, self.size = "medical", split, size

    def at(self, index: int) -> Problem:
        """The sentence with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while hashed("half", source := found(index, attempt, self.split)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        drawn = meaning(index, attempt, self.split)
        columns = {"source": source, "facts": facts(drawn), "meaning": drawn}
        return Problem(index, source + MARK, written(drawn, PLACES), columns, self.name, self.split)


def meaning(index: int, attempt: int, split: str) -> Meaning:
    """The choice of every place and of the facts."""
    sizes = {name: len(choices) for name, choices in PLACES.items()}
    sizes |= {"drug": len(DRUGS), "dose": len(DOSES), "weeks": len(WEEKS), "days": len(DAYS)}
    return {name: hashed(name, split, index, attempt) % size for name, size in sizes.items()}


def found(index: int, attempt: int, split: str) -> str:
    """The sentence as it is found: seven places in ten are hard."""
    plain = frozenset(name for name in PLACES if hashed("found", name, split, index, attempt) % 10 >= _HARD)
    return written(meaning(index, attempt, split), plain)


def facts(drawn: Meaning) -> list[str]:
    """The drug, the dose, and how long."""
    return [DRUGS[drawn["drug"]], *(str(span[drawn[name]]) for name, span in _NUMBERS.items())]


_NUMBERS = {"dose": DOSES, "weeks": WEEKS, "days": DAYS}


def written(drawn: Meaning, plain: Mapping[str, object] | frozenset[str] = frozenset()) -> str:
    """The sentence, plain in these places."""
    words = {name: choices[drawn[name]][name in plain] for name, choices in PLACES.items()}
    said = dict(zip(("drug", *_NUMBERS), facts(drawn), strict=True))
    return _FRAME.format(**words, **said)


def hard_left(drawn: Meaning, text: str) -> float:
    """The share of the places whose hard word a text still has."""
    return sum(choices[drawn[name]][0] in f"{text} " for name, choices in PLACES.items()) / len(PLACES)


def said(drawn: Meaning, text: str) -> float:
    """The share of the places that a text has in either way; one that may be left out is not counted."""
    there = [
        any(word in text for word in pair) for name, choices in PLACES.items() if all(pair := choices[drawn[name]])
    ]
    return sum(there) / len(there)


def words() -> list[str]:
    """All that sentences are made of, one token each."""
    texts = [word for choices in PLACES.values() for pair in choices for word in pair]
    numbers = [str(number) for span in _NUMBERS.values() for number in span]
    listed = [f" {word}" for text in [*texts, _fixed()] for word in text.split()]
    return list(dict.fromkeys([*listed, *(f" {word}" for word in (*DRUGS, *numbers)), MARK]))


def _fixed() -> str:
    return _FRAME.format_map(dict.fromkeys((*PLACES, "drug", *_NUMBERS), " "))
