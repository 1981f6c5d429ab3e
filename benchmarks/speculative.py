"""What a draft model saves: processor seconds for rows of a large model, alone and drafted by a small one.

    python benchmarks/speculative.py        prints a table, writes benchmarks/results/speculative.json (minutes)

Both models have learned one made-up language in which a letter decides how likely the next ones are, so a small model
can guess what a large one says. Runs with and without a draft alternate; the figures are medians of their ratios, on
one thread. How often guesses are right decides the saving, and is the language's and the models', so it is printed too.
"""

import json
import statistics
import time
from pathlib import Path

import torch

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.policies.language.speculative import Speculative
from rlft.runs.folder import circumstances
from rlft.types import Problem

RESULT = Path(__file__).parent / "results" / "speculative.json"
LETTERS, LENGTH = "abcdefghijklmnop", 48
SIZES = {"large": {"width": 192, "layers": 8}, "small": {"width": 48, "layers": 1}}


def main() -> None:
    torch.set_num_threads(1)
    large, small = (trained(size) for size in SIZES)
    found = [measured(large, small, rows, ahead) for rows in (1, 4, 16) for ahead in (2, 4, 6)]
    print("rows  ahead  kept   calls of the large model a token   seconds, as a share of the large model alone")
    for f in found:
        print(f"{f['rows']:4}  {f['ahead']:5}  {f['kept']:.2f}  {f['calls']:33.2f}  {f['seconds']:45.2f}")
    sizes = {name: sum(p.numel() for p in model.parameters()) for name, model in (("large", large), ("small", small))}
    RESULT.write_text(json.dumps({"weights": sizes, "rows": found, **circumstances()}, indent=1) + "\n")


def text(number: int) -> Problem:
    """A first letter, and what follows: after each letter one of three comes, of which it prefers the first."""
    letters = LETTERS[hashed("first", number) % len(LETTERS)]
    while len(letters) <= LENGTH:
        draw = hashed("next", number, len(letters)) % 100
        place = 0 if draw < 75 else 1 if draw < 93 else 2
        letters += LETTERS[hashed("after", letters[-1], place) % len(LETTERS)]
    return Problem(number, letters[0], letters[1:], task="letters", split="train")


def trained(size: str) -> Language:
    """A model of this size that has read 120 batches of 16 texts."""
    tokenizer = character_tokenizer(LETTERS)
    model = small_llama(len(tokenizer), context=LENGTH + 8, seed=1, **SIZES[size])
    policy = Language(model, tokenizer, max_new_tokens=LENGTH)
    imitate(
        policy, lambda step: [text(16 * step + i) for i in range(16)], steps=120, lr=2e-3 if size == "large" else 1e-2
    )
    return policy


def measured(large: Language, small: Language, rows: int, ahead: int, pairs: int = 7) -> dict[str, float]:
    """The share of the large model's time, and how drafting went."""
    drafted = Speculative(large, small, ahead)
    problems = [text(10**6 + number) for number in range(rows)]
    ratios, tokens = [], 0
    for seed in range(pairs + 1):
        if seed == 1:  # the first pair warms up
            ratios, tokens, drafted.tally = [], 0, type(drafted.tally)()
        alone, _ = seconds(large, problems, seed)
        spent, made = seconds(drafted, problems, seed)
        ratios.append(spent / alone)
        tokens += made
    calls = ((pairs * rows) + drafted.tally.reads) / tokens
    return {
        "rows": rows,
        "ahead": ahead,
        "kept": drafted.tally.rate,
        "calls": calls,
        "seconds": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def seconds(policy: Language | Speculative, problems: list[Problem], seed: int) -> tuple[float, int]:
    """Processor seconds of a batch, a token, and the number of tokens."""
    began = time.process_time()
    rows = policy.sample(problems, 1, seed)
    tokens = int(rows.mask.sum())
    return (time.process_time() - began) / tokens, tokens


if __name__ == "__main__":
    main()
