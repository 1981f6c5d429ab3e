"""The filter of system calls, run by a small machine of the tests' own."""

import struct

import pytest

from rlft.sandbox.syscalls import seccomp_filter

X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def decided(code: bytes, architecture: int, number: int, first: int = 0) -> int | None:
    """The error that a call gets, None if it is let through: BPF as linux/bpf_common.h has it."""
    data = {0: number, 4: architecture, 16: first & 0xFFFFFFFF}
    program, at, loaded = list(struct.iter_unpack("<HBBI", code)), 0, 0
    while True:
        kind, yes, no, value = program[at]
        at += 1
        if kind == 0x20:
            loaded = data[value]
        elif kind == 0x06:
            assert value >> 16 in (0x7FFF, 0x5)
            return None if value >> 16 == 0x7FFF else value & 0xFFFF
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[kind]
            at += yes if holds else no


@pytest.mark.parametrize(
    ("machine", "architecture", "read", "ptrace", "keyctl", "clone", "clone3", "prlimit", "socket"),
    [("x86_64", X86, 0, 101, 250, 56, 435, 302, 41), ("aarch64", ARM, 63, 117, 219, 220, 435, 261, 198)],
)
def test_what_it_refuses(machine, architecture, read, ptrace, keyctl, clone, clone3, prlimit, socket):
    code = seccomp_filter(machine)
    said = {
        (call, first): decided(code, architecture, call, first)
        for call, first in [
            (read, 0),
            (ptrace, 0),
            (keyctl, 0),
            (clone, 17),  # SIGCHLD, as fork has it
            (clone, 0x10000000 | 17),
            (clone3, 0),
            (prlimit, 0),
            (prlimit, 1),
            *((socket, family) for family in (1, 2, 10, 16, 40)),
            (10_000, 0),
        ]
    }
    assert list(said.values()) == [None, 1, 1, None, 1, 38, None, 1, None, None, None, 97, 97, None]


def test_other_conventions_are_refused_as_a_whole():
    code = seccomp_filter("x86_64")
    assert decided(code, I386, 0) == 1
    assert decided(code, ARM, 63) == 1
    assert decided(code, X86, 0x40000000) == 38  # x32


def test_an_unknown_machine_has_none():
    assert seccomp_filter("riscv64") is None
    assert seccomp_filter("x86_64") != seccomp_filter("aarch64")
