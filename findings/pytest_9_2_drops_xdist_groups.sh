#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0: `--dist loadgroup` no longer keeps tests of one `xdist_group` in one process. xdist
# writes the group behind a test's `_nodeid`, which pytest 9.2 no longer reads. Nothing fails and nothing is said: fixtures
# of a module are built once in each process instead of once. pytest 9.1.1 is as before.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
cat > "$place/test_group.py" <<'PYTHON'
import os

import pytest

pytestmark = pytest.mark.xdist_group("together")


@pytest.mark.parametrize("number", range(8))
def test_where(number):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON
for version in 9.1.1 9.2.0; do
    python3 -m venv "$place/$version"
    "$place/$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
    SEEN="$place/seen-$version" "$place/$version/bin/python" -m pytest -q -n 2 --dist loadgroup "$place/test_group.py" >/dev/null
    echo "pytest $version: the group ran in $(sort -u "$place/seen-$version" | wc -l) process(es)"
done
test "$(sort -u "$place/seen-9.1.1" | wc -l)" = 1
test "$(sort -u "$place/seen-9.2.0" | wc -l)" = 2
