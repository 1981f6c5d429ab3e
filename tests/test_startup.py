"""What importing the library costs: nothing heavy before it is used. Seconds are in `tests/tool/test_main.py`."""

import subprocess
import sys

HEAVY = {
    *("transformers", "peft", "accelerate", "datasets", "pyarrow", "pandas", "scipy", "sklearn", "nltk", "sympy"),
    *("matplotlib", "jinja2", "gymnasium", "reasoning_gym", "math_verify", "tensorboard", "torch.distributed.fsdp"),
}


def loaded(code: str) -> set[str]:
    """The modules of a fresh interpreter after this code."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_imports_nothing():
    found = loaded("import rlft")
    assert "rlft" in found
    assert not found & (HEAVY | {"torch", "numpy", "rich", "tyro"})


def test_the_names_of_the_package_import_no_library_of_one_family():
    found = loaded("import rlft\nfor name in rlft.__all__: getattr(rlft, name)")
    assert {"torch", "rlft.training.trainer", "rlft.policies.language.policy"} <= found
    assert not found & HEAVY
