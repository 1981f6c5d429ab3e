"""The contracts of a device that is not the host, in a process of their own.

torch keeps a device that was registered for good, and gives it a thread at the first backward pass; every later fork of
the process then fails, and other tests fork.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_every_family_on_a_pretended_device():
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE / "devices.py")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=HERE.parents[1], env=own, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    found = re.search(r"(\d+) passed", done.stdout)
    assert found and int(found[1]) >= 14, done.stdout[-1000:]
