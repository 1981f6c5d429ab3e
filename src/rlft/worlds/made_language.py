"""A made-up pair of languages with a dictionary: sentences by grammar, words by hash. Not a model of any real language.

Both have nouns, adjectives and verbs of two syllables. The source puts the subject first, then the verb, then the
object, adjectives before their nouns; number and tense are words of their own. The target puts the verb last and
adjectives behind their nouns, and says object, number and tense with suffixes:

    peke noso ya sote kipe masa ye      (old dog did see big house many)
    deza dedu gegibong goju boduka      (dog old house-many-OBJ big see-did)
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate

from rlft.environments.lookup import Entry
from rlft.noise import hashed, permuted

_CONSONANTS, _VOWELS = ("ptkmnlsr", "bdgvzjhw"), "aeiou"
_NOUNS, _ADJECTIVES, _VERBS = range(500), range(500, 700), range(700, 900)
# Words of the source's grammar, and the suffixes of the target's.
_PLURAL, _PAST, _FUTURE = ("ye", "bo"), ("ya", "ka"), ("yo", "hi")
_OBJECT = "ng"
_MASS = {kind: list(accumulate(1 / (rank + 2) for rank in range(len(kind)))) for kind in (_NOUNS, _ADJECTIVES, _VERBS)}


def made_pairs(count: int) -> list[Entry]:
    """So many sentences with their translations. The n-th most frequent word of a kind is about 1/(n + 2) as likely."""
    return list(dict.fromkeys(_sentence(index) for index in range(count)))


def made_entries() -> list[Entry]:
    """All words of the source with their translations, one meaning each."""
    return [(_word(0, stem), _word(1, stem)) for kind in (_NOUNS, _ADJECTIVES, _VERBS) for stem in kind]


def _sentence(index: int) -> Entry:
    subject, acted_on = (_phrase(index, role) for role in ("subject", "object"))
    verb = _drawn(_VERBS, index, "verb")
    tense = (("", ""), _PAST, _FUTURE)[hashed("made", index, "tense") % 3]
    source = [*subject[0], tense[0], _word(0, verb), *acted_on[0]]
    noun, *rest = acted_on[1]
    target = [*subject[1], noun + _OBJECT, *rest, _word(1, verb) + tense[1]]
    return " ".join(filter(None, source)), " ".join(target)


def _phrase(index: int, role: str) -> tuple[list[str], list[str]]:
    """A noun, with an adjective and a plural or not, in both languages."""
    noun, draw = _drawn(_NOUNS, index, role), hashed("made", index, role, "form")
    adjective = [_drawn(_ADJECTIVES, index, role)] if draw % 2 else []
    plural = _PLURAL if draw // 2 % 3 == 0 else ("", "")
    source = [*(_word(0, stem) for stem in adjective), _word(0, noun), *filter(None, plural[:1])]
    return source, [_word(1, noun) + plural[1], *(_word(1, stem) for stem in adjective)]


def _drawn(kind: range, *key: object) -> int:
    """A stem of this kind by Zipf's law."""
    return kind[bisect(_MASS[kind], hashed("made", *key, kind.start) / 2**63 * _MASS[kind][-1])]


def _word(language: int, stem: int) -> str:
    """Two syllables, another pair for each stem."""
    letters = _CONSONANTS[language]
    syllables = [consonant + vowel for consonant in letters for vowel in _VOWELS]
    number = permuted(stem, len(syllables) ** 2, "made", language)
    return "".join(syllables[place] for place in divmod(number, len(syllables)))
