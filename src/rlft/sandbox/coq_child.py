"""What the process in the jail runs for `verifiers.coq`: a `coqtop`, kept from proof to proof. Not to be imported.

A proof may say anything that Coq understands, so what Coq prints while it is read proves nothing. Each step ends with a
mark, an unknown name that nobody could have guessed; names that decide are drawn after the text was read to its end.
"""

from __future__ import annotations

import os
import re
import resource
import secrets
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise

CONFINES = True
_MEMORY, _MOST, _PROOFS = 3 << 30, 1 << 20, 500
_PROMPT = re.compile(r"<prompt>[^<>]* < (\d+) \|([^<>]*)\| \d+ < </prompt>")
_NOTES = re.compile(r"<infomsg>.*?</infomsg>", re.DOTALL)
_ERROR = re.compile(r"Error:\s*(.*?)\s*(?:<prompt>|\Z)", re.DOTALL)
_CLOSED = "Closed under the global context"


class _Ended(Exception):
    """There is no answer: a reason and what it means."""


class _Coq:
    """A running `coqtop`, which has loaded the imports."""

    def __init__(self, program: str, imports: str):
        self.process = subprocess.Popen(
            [program, "-q", "-emacs", "-w", "none"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_limit,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.output, False)
        os.set_blocking(self.input, False)
        self.imports, self.proofs = imports, 0
        self.said, states, _ = self.tell(imports, 60.0)
        self.start = states[-1]

    def tell(self, text: str, seconds: float) -> tuple[str, list[int], str]:
        """What Coq says to sentences, the number of the state after each, and the proofs that are open at the end."""
        mark = f"mark_{secrets.token_hex(12)}"
        left, said = f"{text}\nCheck {mark}.\n".encode(), b""
        began, used = time.monotonic(), self._used()
        with selectors.DefaultSelector() as ready:
            ready.register(self.output, selectors.EVENT_READ)
            ready.register(self.input, selectors.EVENT_WRITE)
            while not (mark.encode() in said and said.rstrip().endswith(b"</prompt>")):
                for key, _ in ready.select(0.05):
                    if key.fd == self.output:
                        said += (part := os.read(self.output, 1 << 16))
                        if not part:
                            said = said.split(b"</prompt>")[-1][-200:].strip()
                            raise _Ended("lost", f"Coq ended: {said.decode('utf-8', 'replace')}")
                    else:
                        left = left[os.write(self.input, left[: 1 << 12]) :]
                        if not left:
                            ready.unregister(self.input)
                if self._used() - used > seconds or time.monotonic() - began > 4 * seconds:
                    raise _Ended("timeout", f"not read within {seconds:g} seconds")
                if len(said) > _MOST:
                    raise _Ended("output", f"more than {_MOST} bytes")
        shown = said.decode("utf-8", "replace")
        before = shown[: shown.index(mark)]
        states = [int(state) for state, _ in _PROMPT.findall(before)]
        return before[: before.rfind("<prompt>")], states, _PROMPT.findall(shown)[-1][1]

    def end(self) -> None:
        """End it and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _used(self) -> float:
        """Processor seconds so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_running: dict[str, _Coq] = {}


def answer(
    program: str, imports: str, preamble: str, statement: str, name: str, text: str, plain: bool, seconds: float
) -> list[str | int]:
    """Reason and detail of one proof: `text` must define `name`, of the type `statement` after `preamble`. And how many
    of its sentences Coq takes before the first that it refuses, -1 where it is not known.

    `plain` text is tactics only, which can assume nothing; of others it is asked what they assume.
    """
    try:
        return list(_checked(_coq(program, imports), preamble, statement, name, text, plain, seconds))
    except _Ended as ended:
        if coq := _running.pop("coq", None):
            coq.end()
        return [*map(str, ended.args), -1]


def _coq(program: str, imports: str) -> _Coq:
    coq = _running.get("coq")
    if coq is not None and (coq.imports != imports or coq.proofs >= _PROOFS or coq.process.poll() is not None):
        _running.pop("coq").end()
        coq = None
    if coq is None:
        coq = _running["coq"] = _Coq(program, imports)
        if found := _ERROR.search(coq.said):
            raise _Ended("unreadable", f"the imports: {found[1][:300]}")
    coq.proofs += 1
    return coq


def _checked(
    coq: _Coq, preamble: str, statement: str, name: str, text: str, plain: bool, seconds: float
) -> tuple[str, str, int]:
    goal, proof = (f"{word}_{secrets.token_hex(12)}" for word in ("goal", "proof"))
    # Before anything that the policy wrote, so that every name in it means what the task means.
    said, before, proofs = coq.tell(
        f"BackTo {coq.start}.\n{preamble}\nDefinition {goal} : Type :=\n({statement}).", seconds
    )
    if proofs or f"{goal} is defined" not in said or _ERROR.search(said):
        return "unreadable", f"the task's own statement: {_first(said)}", 0
    said, after, proofs = coq.tell(text, seconds)
    taken = _taken(before[-1], after)
    if proofs:
        return "unfinished", _first(said) or f"the proof of {proofs} is open", taken
    now, _, _ = coq.tell(f"Definition {proof} : {goal} := @{name}.", seconds)
    if f"{proof} is defined" not in now or _ERROR.search(now):
        missing = "was not found" in now or _ERROR.search(said)
        return ("error", _first(said) or _first(now), taken) if missing else ("other", _first(now), taken)
    if not plain:
        # This sentence runs nothing that a text could have changed, and its answer stands alone.
        now, _, _ = coq.tell(f"Print Assumptions {proof}.", max(seconds, 30.0))
        found = " ".join(_PROMPT.sub("", _NOTES.sub("", now)).split())
        if found != _CLOSED:
            return "assumes", found[:300], taken
    # The session goes on behind what it refuses, so that a text could try everything and be right at last.
    return ("proved", "", taken) if taken == len(after) else ("error", _first(said), taken)


def _taken(start: int, states: list[int]) -> int:
    """How many sentences are taken before the first that is not, which leaves the number of the state as it was.

    A text may print numbers of its own, which cannot hide such a one: no number lies between equal ones.
    """
    pairs = enumerate(pairwise([start, *states]))
    return next((place for place, (old, new) in pairs if new <= old), len(states))


def _first(said: str) -> str:
    found = _ERROR.search(said)
    return " ".join(found[1].split())[:300] if found else ""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
