"""What the coloured shapes of a picture are worth together: sums over all that is there. No file is read.

    what is it worth?        a green disc (1 + 1) and a yellow square (3 + 0): 5

Colours and shapes have prices of their own, a thing has both. Answers come equally often, so that who does not look is
right one time in eight. Problems are `tasks.shapes`'.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlft.tasks.drawn import Family, Question
from rlft.tasks.scenes import Scene, scattered

COLOURS = {"red": 0, "green": 1, "blue": 2, "yellow": 3}
SHAPES = {"square": 0, "disc": 1, "cross": 2}
NAMES = [(colour, shape) for colour in COLOURS for shape in SHAPES]
ANSWERS = range(1, 9)
_PRICES = COLOURS | SHAPES
_SIZE, _TRIES = 32, 1000
QUESTION = "what is it worth?"
# All that a sum may come to on the way, and after things that are not there.
_NUMBERS = range(21)
PRICE_WORDS = (*(f" {word}" for word in _PRICES), *map(str, _NUMBERS), *(f" {number}" for number in _NUMBERS), QUESTION)


def price(word: str) -> int:
    """What a colour or a shape adds; nothing where it is neither."""
    return _PRICES.get(word, 0)


def worth(names: Sequence[str]) -> int:
    """What these things (`green disc`) are worth together."""
    return sum(price(word) for name in names for word in name.split())


def priced(fewest: int = 2, most: int = 4) -> Family:
    """Pictures of `fewest` to `most` things of `NAMES`, and what these are worth together.

    First the answer is drawn, evenly of `ANSWERS`, then things that are worth as much.
    """

    def family(draw: random.Random) -> tuple[Scene, Question] | None:
        wanted = draw.choice(ANSWERS)
        for _ in range(_TRIES):
            held = draw.choices(NAMES, k=draw.randint(fewest, most))
            right = worth([" ".join(name) for name in held]) == wanted
            if scene := right and scattered(held, draw, _SIZE, draw.getrandbits(60)):
                return scene, Question(QUESTION, str(wanted), {})
        return None

    return family
