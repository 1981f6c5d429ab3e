#!/usr/bin/env bash
# math-verify 0.9.0: an upright e, \mathrm{e}, as ISO 80000-2 sets Euler's number, is dropped from an expression with
# the fraction it stands in: 1 - 1/e and 1 + 1/e are both read as 1, and a wrong answer is verified as right.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv" && "$place/venv/bin/pip" install --quiet --disable-pip-version-check math-verify==0.9.0
"$place/venv/bin/python" - <<'PYTHON'
from math_verify import parse, verify

upright = [parse(rf"$1 {sign} \frac{{1}}{{\mathrm{{e}}}}$") for sign in "-+"]
italic = [parse(rf"$1 {sign} \frac{{1}}{{e}}$") for sign in "-+"]
print("upright:", [each[:1] for each in upright], "equal:", verify(*upright))
print("italic: ", [each[:1] for each in italic], "equal:", verify(*italic))
assert verify(*upright) and not verify(*italic)
PYTHON
