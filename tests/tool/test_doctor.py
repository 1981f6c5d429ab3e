"""What the doctor says of verifiers; its self-test is in `test_main`."""

from rlft.tool import doctor
from tests.jails import needs_coq, needs_jail, needs_z3


@needs_coq
@needs_z3
@needs_jail
def test_verifiers_that_are_there():
    said = {name: doctor._said(tried) for name, tried in doctor._verifiers().items()}
    assert said["programs"].startswith("works: processes of a program are bounded by ")
    assert said["coq"] == said["smt"] == "works: proved"


def test_verifiers_that_are_missing(monkeypatch):
    from rlft.sandbox.jail import here

    monkeypatch.setenv("PATH", "/nowhere")
    here.cache_clear()
    said = {name: doctor._said(tried) for name, tried in doctor._verifiers().items()}
    here.cache_clear()
    assert said["programs"].startswith("missing: ") and "apt-get install bubblewrap" in said["programs"]
    assert "apt-get install coq" in said["coq"]
    assert "apt-get install z3" in said["smt"]
