"""Units of answers: what kind of quantity a unit measures, and how much of it. Not for temperatures, which have zeros.

A unit that is not listed is None: the number beside it counts as if it had none.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import prod

# kind: names, each with its size in the kind's first unit.
_KINDS: dict[str, dict[str, str]] = {
    "length": {"m meter metre": "1", "km kilometer kilometre": "1000", "cm centimeter centimetre": "1/100",
               "mm millimeter millimetre": "1/1000", "in inch inches": "254/10000", "ft foot feet": "3048/10000",
               "yd yard": "9144/10000", "mile mi": "1609344/1000"},
    "mass": {"kg kilogram kilo": "1", "g gram": "1/1000", "mg milligram": "1/1000000", "tonne": "1000",
             "lb lbs": "45359237/100000000", "oz ounce": "45359237/1600000000"},
    "time": {"s sec second": "1", "ms millisecond": "1/1000", "min minute": "60", "h hr hour": "3600", "day": "86400",
             "week": "604800"},
    "months": {"month": "1", "year yr": "12"},
    "volume": {"L l liter litre": "1", "mL ml milliliter millilitre": "1/1000", "gallon gal": "3785411784/1000000000"},
    "angle": {"° degree deg": "1"},
    "dollars": {"$ US$ USD dollar buck": "1", "cent": "1/100"},
    "euros": {"€ EUR euro": "1"},
    "pounds sterling": {"£ GBP": "1"},
    "rupees": {"₹ Rs Rs. rupee": "1"},
    "temperature in °C": {"°C": "1"},
    "temperature in °F": {"°F": "1"},
    "energy": {"J joule": "1", "kJ": "1000"},
    "force": {"N newton": "1"},
    "power": {"W watt": "1", "kW": "1000"},
    "frequency": {"Hz": "1", "kHz": "1000", "MHz": "1000000"},
}  # fmt: skip
_NAMES = {
    name: (kind, Fraction(size))
    for kind, units in _KINDS.items()
    for names, size in units.items()
    for name in names.split()
}
_POWERS = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3, "cu.": 3}


@lru_cache(maxsize=4096)
def unit(text: str) -> tuple[str, Fraction] | None:
    """Kind and size of a unit: cm, square feet, m^2, km/h, dollars; None if there is none like this."""
    text = text.strip(" .()").replace(r"^\circ", "°").replace("° ", "°").replace("{", "").replace("}", "")
    if len(sides := re.split(r"\s*/\s*|\s+per\s+", text)) == 2:
        over, under = unit(sides[0]), unit(sides[1])
        return (f"{over[0]} / {under[0]}", over[1] / under[1]) if over and under else None
    if len(factors := text.split("·")) > 1:
        named = [found for factor in factors if (found := unit(factor))]
        return (
            (" x ".join(k for k, _ in named), prod((s for _, s in named), start=Fraction(1)))
            if len(named) == len(factors)
            else None
        )
    if text in ("mph", "kmh", "kph"):
        return unit("miles per hour" if text == "mph" else "km per hour")
    first, _, rest = text.partition(" ")
    base, power = (rest, _POWERS[first.lower()]) if first.lower() in _POWERS else (text, 1)
    if found := re.fullmatch(r"(.+?)\s?\^([23])", base):
        base, power = found[1], int(found[2])
    elif found := re.fullmatch(r"(.+) (squared|cubed)", base):
        base, power = found[1], 2 if found[2] == "squared" else 3
    if (named := _named(base)) is None:
        return None
    return named if power == 1 else (f"{named[0]}^{power}", named[1] ** power)


def _named(name: str) -> tuple[str, Fraction] | None:
    if name in _NAMES or len(name) <= 2:  # mm is not Mm
        return _NAMES.get(name)
    name = name.lower()
    return _NAMES.get(name) or _NAMES.get(name.removesuffix("s"))
