"""Designs of hardware in Verilog, against a reference or a bench of the task's. Yosys builds, Icarus simulates.

What is simulated is never the policy's text but the netlist that Yosys makes of it, so a design can neither print, nor
end the simulation, nor reach into the bench or open files, and what has no driver or cannot be built gets no further.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from rlft.sandbox.commands import Command, Commands, Ran, installed
from rlft.sandbox.jail import Bare, Jail
from rlft.sandbox.spread import spread
from rlft.types import UserError
from rlft.verifiers.blocks import last_block
from rlft.verifiers.known import Known
from rlft.verifiers.proved import Proved

REASONS = {
    "proved": "equal to the reference for all inputs",
    "passed": "equal to the reference for all vectors tried, or the task's bench says so",
    "different": "another output than the reference, or the task's bench says so",
    "ports": "its ports are not the reference's",
    "driven": "something that is used has no driver, two drivers, or drives itself",
    "undeclared": "a name that is declared nowhere",
    "latch": "it keeps a value where the reference does not",
    "lint": "Verilator warns of what it was asked for",
    "error": "Yosys does not take it, or it has no module of the task's name",
    "timeout": "it took too long",
    "lost": "a tool ended with it",
    "unreadable": "the task's own reference or bench does not work",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"^  (input|output|inout) (?:\[(\d+):(\d+)\] )?(\\\S+ |[^\s;]+);$", re.MULTILINE)
_CLOCK = re.compile(r"(i_)?(clk|clock)(_i|_in)?", re.IGNORECASE)
_RESET = re.compile(r"(i_)?(?P<low>n_?)?a?(rst|reset)(?P<low2>_?[nb])?(_i|_in)?", re.IGNORECASE)
_STATE = "tee -q -o state.txt select -list t:$*ff* t:$*latch* t:$mem* t:$sr"
_FEW = 1024


@final
@dataclass(frozen=True)
class Circuit:
    """A task: a module called `top`, and what it must be.

    reference  Verilog with a module of that name, to which it must be equal
    header     the head of the module, up to its `;`, for a text that goes on from there
    bench      Verilog with a test bench that has such a module in it, in place of a reference
    passes     what the bench prints for a design that is right: no other line of it may say the like
    """

    top: str = "top_module"
    reference: str = ""
    header: str = ""
    bench: str = ""
    passes: str = "Mismatches: 0 in"


@final
@dataclass(frozen=True)
class _Ports:
    """A netlist's ports, (direction, name, bits) in order, whether it has state, and whether that is in latches."""

    each: tuple[tuple[str, str, int], ...]
    state: bool
    latches: bool

    def of(self, direction: str) -> list[tuple[str, int]]:
        return [(name, bits) for its, name, bits in self.each if its == direction]


@final
class Hardware:
    """Jails in which a design is built, simulated and, where it has no state, proved equal.

    vectors  inputs that are tried: all there are if they are fewer, else zeros, ones and random ones, in clocked
             designs one a cycle, with a reset at first and now and then
    seed     of the random ones
    lint     warnings of Verilator that count as faults, such as ("WIDTH", "UNUSED")
    seconds  of processor time for each tool
    proof    of processor time for a proof; if it takes longer it is left, and the vectors stand
    """

    def __init__(
        self,
        vectors: int = 256,
        seed: int = 0,
        lint: Sequence[str] = (),
        seconds: float = 10.0,
        proof: float = 2.0,
        workers: int = 1,
        place: Jail | Bare | None = None,
    ):
        self.yosys, self.icarus, self.vvp = _tool("yosys"), _tool("iverilog"), _tool("vvp", "iverilog")
        self.verilator = _tool("verilator") if lint else ""
        if vectors < 1:
            raise UserError(f"Hardware: vectors must be at least 1; got {vectors}")
        self.vectors, self.seed, self.lint, self.proof = vectors, seed, frozenset(lint), proof
        self._commands = [Commands((), seconds, place=place) for _ in range(workers)]
        self._references = Known[Circuit, _Ports | Proved]()

    def check(self, pairs: Sequence[tuple[Circuit, str]]) -> list[Proved]:
        """Each task and a completion's Verilog for it. UserError for a `top` that is no name."""
        return spread(self._commands, self._checked, pairs)

    def _checked(self, commands: Commands, pair: tuple[Circuit, str]) -> Proved:
        task, text = pair
        if not _NAME.fullmatch(task.top):
            raise UserError(f"the name of a module is a word, such as top_module; got {task.top!r}")
        if task.header and not re.search(rf"\bmodule\s+{task.top}\b", text):
            text = f"{task.header}\n{text}"
        wanted = None
        if task.reference:
            wanted = self._references.of([task], lambda new: [self._reference(commands, one) for one in new])[0]
        if isinstance(wanted, Proved):
            return wanted
        dut = task.top if wanted is None else f"design_{secrets.token_hex(8)}"
        ran = self._built(commands, text, task.top, dut)
        if ran.code != 0:
            return _fault(ran)
        if "implicitly declared" in ran.said:
            return Proved("undeclared", _line(ran.said, "implicitly declared"))
        netlist = ran.files.get("netlist.v", "")
        if self.lint and (warned := self._linted(commands, text, task.top)):
            return Proved("lint", warned)
        if wanted is None:
            return self._by_bench(commands, task, netlist)
        ports = _ports(ran)
        if sorted(ports.each) != sorted(wanted.each):
            return Proved("ports", f"expected {_listed(wanted)}; got {_listed(ports)}")
        if ports.latches and not wanted.latches:
            return Proved("latch", ran.files["state.txt"].split()[0])
        tried = self._simulated(commands, task, wanted, dut, netlist)
        if tried.reason != "passed" or wanted.state or ports.state:
            return tried
        return self._proof(commands, task, dut, netlist) or tried

    def _built(self, commands: Commands, text: str, top: str, name: str) -> Ran:
        """Yosys' netlist of a text, with what it has been told about it. Nothing of the task is in the folder."""
        script = [
            "read_verilog -sv design.v",
            f"hierarchy -check -top {top}",
            "select -assert-none =A:blackbox",
            "proc",
            "check -assert",
            "memory_collect",
            "flatten",
            "chformal -remove",
            "opt_clean",
            f"rename {top} {name}",
            _STATE,
            "write_verilog -noattr netlist.v",
        ]
        return self._yosys(commands, {"design.v": text}, script, ("netlist.v", "state.txt"))

    def _reference(self, commands: Commands, task: Circuit) -> _Ports | Proved:
        ran = self._built(commands, task.reference, task.top, task.top)
        if ran.code != 0:
            return Proved("unreadable", f"the reference: {_fault(ran).detail}")
        ports = _ports(ran)
        if ports.of("inout") or not ports.of("output"):
            return Proved("unreadable", "the reference has no output, or a port that is both input and output")
        return ports

    def _simulated(self, commands: Commands, task: Circuit, ports: _Ports, dut: str, netlist: str) -> Proved:
        token = secrets.token_hex(8)
        rows = _vectors(ports, self.vectors, self.seed)
        digits = -(-sum(bits for _, bits in ports.of("input")) // 4)
        files = {
            "reference.v": task.reference,
            "netlist.v": netlist,
            "bench.v": _bench(task.top, dut, ports, len(rows), token),
            "vectors.hex": "\n".join(f"{row:0{max(digits, 1)}x}" for row in rows),
        }
        ran = self._icarus(commands, files)
        found = re.search(rf"^{token} (\d+) (-?\d+) ([01x]+)$", ran.said, re.MULTILINE)
        if ran.code is None:
            return _late(ran)
        if found is None or "0" in found[3] or "x" in found[3]:
            return Proved("unreadable", "the reference has an output that is never defined, or cannot be simulated")
        if int(found[1]):
            given = ", ".join(f"{name}={value}" for name, value in _inputs(ports, rows[int(found[2])]))
            return Proved("different", f"in {found[1]} of the outputs, first at vector {found[2]}: {given}")
        return Proved("passed", f"{len(rows)} vectors")

    def _by_bench(self, commands: Commands, task: Circuit, netlist: str) -> Proved:
        if not task.bench:
            return Proved("unreadable", "no reference and no bench")
        ran = self._icarus(commands, {"netlist.v": netlist, "bench.v": task.bench})
        if ran.code is None:
            return _late(ran)
        if len(ran.each) < 2:
            return Proved("error", f"it does not fit the bench: {_line(ran.said, 'error')}")
        right = task.passes in ran.said
        return Proved("passed") if right else Proved("different", " ".join(ran.said.split())[-200:])

    def _proof(self, commands: Commands, task: Circuit, dut: str, netlist: str) -> Proved | None:
        """Whether both are equal for all inputs, where the reference is defined; None if that took too long."""
        script = [
            *("read_verilog -sv reference.v", f"hierarchy -check -top {task.top}", "proc", "flatten"),
            *(f"rename {task.top} gold", "design -stash gold"),
            *("read_verilog -sv netlist.v", "proc", "design -stash gate"),
            *("design -copy-from gold -as gold gold", f"design -copy-from gate -as gate {dut}"),
            "miter -equiv -ignore_gold_x -flatten gold gate both",
            "sat -verify -prove trigger 0 -set-def-inputs -enable_undef both",
        ]
        files = {"reference.v": task.reference, "netlist.v": netlist}
        ran = self._yosys(commands, files, script, seconds=self.proof)
        if ran.code == 0:
            return Proved("proved")
        # Anything else that Yosys says is no verdict.
        return Proved("different", "for inputs that a proof has found") if "proof did fail" in ran.said else None

    def _linted(self, commands: Commands, text: str, top: str) -> str:
        words = (self.verilator, "--lint-only", "-Wall", "--top-module", top, "design.v")
        said = commands.run({"design.v": text}, [Command(words)]).said
        for line in said.splitlines():
            found = re.match(r"%Warning-(\w+):", line)
            if found and found[1] in self.lint:
                return line[:300]
        return ""

    def _yosys(
        self,
        commands: Commands,
        files: dict[str, str],
        script: list[str],
        wanted: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> Ran:
        run = Command((self.yosys, "-q", "-s", "script.ys"))
        return commands.run({**files, "script.ys": "\n".join(script)}, [run], wanted, seconds)

    def _icarus(self, commands: Commands, files: dict[str, str]) -> Ran:
        sources = [name for name in files if name.endswith(".v")]
        build = Command((self.icarus, "-g2012", "-o", "simulation", *sources))
        return commands.run(files, [build, Command((self.vvp, "-n", "simulation"))])


def design_in(text: str) -> str:
    """The Verilog of a completion: its last closed block, behind any `</think>`; all of it without blocks."""
    return last_block(text, {"verilog", "systemverilog", "sv", "v", ""})


def _tool(program: str, package: str = "") -> str:
    return str(installed(program, package or program, "designs are built and simulated by Yosys and Icarus"))


def _ports(ran: Ran) -> _Ports:
    each = []
    for direction, high, low, name in _PORT.findall(ran.files.get("netlist.v", "")):
        each.append((direction, name.strip(), abs(int(high) - int(low)) + 1 if high else 1))
    state = ran.files.get("state.txt", "")
    return _Ports(tuple(each), bool(state.strip()), "latch" in state)


def _vectors(ports: _Ports, most: int, seed: int) -> list[int]:
    """The inputs of each step, packed in the order of the ports, the first in the highest bits."""
    inputs = ports.of("input")
    total = sum(bits for _, bits in inputs)
    if not ports.state and 2**total <= max(most, _FEW):
        return list(range(2**total))
    drawn = random.Random(f"{seed} {ports.each}")
    rows = []
    for step in range(most):
        row = 0
        for name, bits in inputs:
            corner = {0: 0, 1: 2**bits - 1}.get(step)
            value = drawn.getrandbits(bits) if corner is None or ports.state else corner
            if ports.state and bits == 1 and (reset := _RESET.fullmatch(name)):
                on = step < 2 or drawn.random() < 1 / 16
                value = int(on) ^ bool(reset["low"] or reset["low2"])
            row = row << bits | value
        rows.append(row)
    return rows


def _inputs(ports: _Ports, row: int) -> list[tuple[str, int]]:
    found = []
    for name, bits in reversed(ports.of("input")):
        found.append((name, row & (2**bits - 1)))
        row >>= bits
    return found[::-1]


def _bench(top: str, dut: str, ports: _Ports, count: int, token: str) -> str:
    """A bench that counts outputs which differ where the reference is defined, and says which outputs ever are."""
    inputs, outputs = ports.of("input"), ports.of("output")
    clock = next((n for n, (name, bits) in enumerate(inputs) if bits == 1 and _CLOCK.fullmatch(name)), None)
    lines = ["`timescale 1ns/1ns", "`default_nettype none", f"module bench_{token};"]
    lines += [f"  reg [{bits - 1}:0] i{n};" for n, (_, bits) in enumerate(inputs)]
    for n, (_, bits) in enumerate(outputs):
        lines += [f"  wire [{bits - 1}:0] r{n}, d{n};", f"  reg [{bits - 1}:0] s{n} = 0;"]
    for module, name, sign in ((top, "reference", "r"), (dut, "design", "d")):
        wires = [f".{_escaped(port)}(i{n})" for n, (port, _) in enumerate(inputs)]
        wires += [f".{_escaped(port)}({sign}{n})" for n, (port, _) in enumerate(outputs)]
        lines.append(f"  {module} {name}_{token}({', '.join(wires)});")
    total = max(sum(bits for _, bits in inputs), 1)
    lines += [
        f"  reg [{total - 1}:0] rows [0:{count - 1}];",
        "  integer n, bad = 0, first = -1;",
        "  task compare; begin",
    ]
    for n in range(len(outputs)):
        # An x of the reference is whatever the design says; an x of the design is wrong.
        lines.append(f"    if (r{n} !== (r{n} ^ d{n} ^ r{n})) begin bad = bad + 1; if (first < 0) first = n; end")
        lines.append(f"    s{n} = s{n} | ~(r{n} ^ r{n});")
    lines += ["  end endtask", "  initial begin", '    $readmemh("vectors.hex", rows);']
    lines.append(f"    for (n = 0; n < {count}; n = n + 1) begin")
    if inputs:
        lines.append(f"      {{{', '.join(f'i{n}' for n in range(len(inputs)))}}} = rows[n];")
    if clock is None:
        lines.append("      #5 compare;")
    else:
        lines.append(f"      i{clock} = 0; #5 compare; i{clock} = 1; #5 compare;")
    seen = ", ".join(f"|s{n} === 1'b1" for n in range(len(outputs)))
    lines += ["    end", f'    $display("{token} %0d %0d %b", bad, first, {{{seen}}});', "    $finish;", "  end"]
    return "\n".join([*lines, "endmodule", ""])


def _escaped(name: str) -> str:
    return f"{name} " if name.startswith("\\") else name


def _listed(ports: _Ports) -> str:
    return ", ".join(f"{direction} {name}[{bits}]" for direction, name, bits in ports.each) or "none"


def _fault(ran: Ran) -> Proved:
    """Why Yosys has made no netlist."""
    if ran.code is None:
        return _late(ran)
    if ran.code < 0:
        return Proved("lost", f"Yosys ended by signal {-ran.code}")
    if "in 'check -assert'" in ran.said:
        return Proved("driven", _line(ran.said, "Warning: "))
    return Proved("error", _line(ran.said, "ERROR"))


def _late(ran: Ran) -> Proved:
    return Proved("lost", ran.lost) if ran.lost else Proved("timeout", "a tool took too long")


def _line(said: str, word: str) -> str:
    lines = [line.strip() for line in said.splitlines() if word in line]
    return (lines[-1] if lines else said.strip()[-300:])[:300]
