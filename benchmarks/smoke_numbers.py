"""The smoke numbers of every claim and its digest, and whether they are those of another revision. Measures no speed.

    python benchmarks/smoke_numbers.py before.json                      at one revision
    python benchmarks/smoke_numbers.py after.json --against before.json at another: exit code 1 if a number differs

Moving code must not move a number: run it before and after, on one machine. Everything is asked of the command line,
so that the two revisions need share nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# What differs from run to run of the same code.
_OF_A_MACHINE = ("seconds", "rss")


def rlft(*words: str) -> str:
    """What a command prints."""
    done = subprocess.run([sys.executable, "-m", "rlft", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"rlft {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def numbers(keys: list[str]) -> dict[str, dict[str, float]]:
    """Every number of every arm of these claims' smoke runs, by claim and `arm-seed number`."""
    found = {}
    for key in keys:
        with tempfile.TemporaryDirectory() as folder:
            result = json.loads(rlft("reproduce", key, "--smoke", "--json", "--out", folder))
            cells = {path.parent.name.rsplit("-", 1)[0]: path for path in Path(folder).rglob("measured.json")}
            read = {cell: json.loads(path.read_text()) for cell, path in sorted(cells.items())}
            flat = {f"{cell} {n}": v for cell, all_ in read.items() for n, v in all_.items()}
            kept = {n: v for n, v in flat.items() if not any(word in n for word in _OF_A_MACHINE)}
            found[key] = {"digest": result["digest"], **kept}
            print(f"{key}: {len(kept)} numbers", file=sys.stderr)
    return found


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only", nargs="*", help="keys of claims; all by default")
    told = parser.parse_args()
    systems = json.loads(rlft("papers", "--json"))
    claimed = [system["key"] for system in systems if system["state"]["declared"]]
    found = numbers(told.only or claimed)
    told.out.write_text(json.dumps(found, indent=1))
    if told.against is None:
        return
    before, apart, total = json.loads(told.against.read_text()), 0, 0
    for key, values in found.items():
        for name in sorted({*values, *before[key]}):
            total += 1
            one, other = before[key].get(name), values.get(name)
            if one != other and not (one != one and other != other):
                apart += 1
                print(f"{key} {name}: {one} before, {other} now")
    print(f"{apart} of {total} numbers differ")
    sys.exit(bool(apart))


if __name__ == "__main__":
    main()
