"""What the process in the jail runs for `verifiers.smt`: a `z3` of its own for each text. Not for import elsewhere."""

from __future__ import annotations

import resource
import signal
import subprocess

CONFINES = True
_MEMORY = 2 << 30


def answer(program: str, text: str, effort: int, seconds: float) -> tuple[int | None, str]:
    """The exit code and what was printed; no code after `seconds` of processor time, or four times as many.

    `effort` is Z3's own count of steps, which is the same on every machine.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    command = [program, "-in", "-smt2", f"rlimit={effort}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )
    try:
        said, _ = process.communicate(text, timeout=4 * seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, ""
    late = process.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
    return (None, "") if late else (process.returncode, said[:100_000])
