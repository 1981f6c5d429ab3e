"""How hard an English text is to read, by its lengths alone: `grade` and `ease`. Says nothing about what it means.

Both are formulas of words a sentence and syllables a word. What is counted decides the number: here a text is counted
as a person reads it aloud, so that `12.5 mg` is four words and one sentence, and a list has a sentence an item.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ONES += ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("thousand", "million", "billion", "trillion")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# A mark at the start of a line, as lists have it: "- ", "* ", "• ", "2. ", "(b) ".
_ITEM = re.compile(r"^\s*(?:[-*•–]|\(?(?:\d{1,3}|[a-z])[.)])\s+", re.MULTILINE)
_SHORT = re.compile(r"\b(?:dr|mr|mrs|ms|prof|st|vs|e\.g|i\.e|etc|approx|fig|no)\.(?=\s)", re.IGNORECASE)
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)")
_GROUP = re.compile(r"[aeiouy]+")
# Vowels side by side that are two syllables, once those that are none of their own are gone.
_APART = re.compile(
    r"i[ao]|iu|ea(?=tion|ted?$|$|s$)|eo(?=$|n$|s$|lo)|ua(?!r)|uo(?!t)|[aeiouy]ing|iet|ien[ct]|uie|oe[mt]|[^e]eum"
)
_TOGETHER = re.compile(r"[cstgx]i(?:on|al|ous?|en|an?)|qu|gua|[ln]io|peo|^[^aeiou]ea$")
_SILENT = re.compile(
    r"(?:[^aeiouyl]e|[aeiouy]le|(?:[^aeiouytdr]|[aeiou]r|oy|ay)ed|[^aeiouyscxzghl]es|thes|[aeiou]les|[^l]ely|ements?|"
    r"eful|[nf]ety)$"
)


def grade(texts: Sequence[str]) -> Float[Tensor, "N"]:
    """Flesch-Kincaid grade: 0.39 words / sentences + 11.8 syllables / words - 15.59 (Kincaid et al. 1975).

    Years of school; -3.4 for a single syllable. NaN for a text without a word.
    """
    return torch.tensor([_formula(text, 0.39, 11.8, -15.59) for text in texts])


def ease(texts: Sequence[str]) -> Float[Tensor, "N"]:
    """Flesch reading ease: 206.835 - 1.015 words / sentences - 84.6 syllables / words (Flesch 1948).

    121.22 for a single syllable, 60 to 70 for plain English, below 30 for a treatise; NaN without a word.
    """
    return torch.tensor([_formula(text, -1.015, -84.6, 206.835) for text in texts])


def lengths(text: str) -> tuple[int, int, int]:
    """Sentences, words and syllables as they are read aloud.

    A sentence ends with a mark before white space, which no decimal point, `Dr.` or `e.g.` is, or where an item of a
    list does. A number is the words it is said in.
    """
    aloud = _SHORT.sub(lambda found: found[0][:-1].replace(".", ""), text)
    parts = [part for item in _ITEM.split(aloud) for part in _END.split(item)]
    said = [_WORD.findall(_NUMBER.sub(lambda found: f" {in_words(found[0])} ", part)) for part in parts]
    words = [word for sentence in said for word in sentence]
    return sum(map(bool, said)), len(words), sum(map(syllables, words))


def syllables(word: str) -> int:
    """Syllables of an English word, at least 1: groups of vowels, one less for a silent e, one more where vowels part.

    A rule of thumb: no word is looked up, and names and compounds come out wrong more often than others.
    """
    word = re.sub(r"['’]s?", "", word.lower())
    apart = len(_APART.findall(_TOGETHER.sub("t#", word)))
    return max(1, len(_GROUP.findall(word)) + apart - len(_SILENT.findall(word)))


def in_words(number: str) -> str:
    """A number as it is said: `12.5` is "twelve point five", `1,250` "one thousand two hundred fifty"."""
    whole, _, rest = number.replace(",", "").partition(".")
    said = _whole(int(whole)) if len(whole) <= 15 else [_ONES[int(digit)] for digit in whole]
    return " ".join([*said, *(["point"] if rest else []), *(_ONES[int(digit)] for digit in rest)])


def _whole(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        return [_TENS[number // 10 - 2], *(_whole(number % 10) if number % 10 else [])]
    if number < 1000:
        return [_ONES[number // 100], "hundred", *(_whole(number % 100) if number % 100 else [])]
    power = (len(str(number)) - 1) // 3
    most, rest = divmod(number, 1000**power)
    return [*_whole(most), _THOUSANDS[power - 1], *(_whole(rest) if rest else [])]


def _formula(text: str, sentence: float, syllable: float, constant: float) -> float:
    sentences, words, sounds = lengths(text)
    return sentence * words / sentences + syllable * sounds / words + constant if words else float("nan")
