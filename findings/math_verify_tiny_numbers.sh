#!/usr/bin/env bash
# math-verify 0.9.0: numbers far below one are equal to each other, whatever they are: comparison rounds to six decimals
# and knows no relative error. The mass of an electron "is" the charge of one. A reward of answers in SI units that
# relies on it pays for any small number.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv" && "$place/venv/bin/pip" install --quiet --disable-pip-version-check math-verify==0.9.0
"$place/venv/bin/python" - <<'PYTHON'
from math_verify import parse, verify

pairs = [(r"$9.11 \times 10^{-31}$", r"$1.6 \times 10^{-19}$"), ("$0.0000002$", "$0.0000003$"), ("$0.2$", "$0.3$")]
found = [verify(parse(one), parse(other)) for one, other in pairs]
for pair, equal in zip(pairs, found):
    print(*pair, "equal" if equal else "not equal")
assert found == [True, True, False], found
PYTHON
