"""The system calls that a jailed program does without, as a seccomp filter. Says nothing of files, memory or time.

The jail's namespaces hide what is outside. The filter closes what they leave open: calls that reach other processes of
the same user (`ptrace`, limits, priorities), memory that no limit counts (System V segments, `memfd_create`, message
queues), keyrings, sockets that are in no network namespace (`AF_VSOCK`), and namespaces of the program's own.

A filter is classic BPF over `struct seccomp_data` (linux/seccomp.h): number at 0, architecture at 4, arguments from 16.
"""

from __future__ import annotations

import platform
import struct

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4

# Names and numbers on x86_64 and aarch64; None where there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "ptrace": (101, 117),
    "personality": (135, 92),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "sched_setaffinity": (203, 122),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "unshare": (272, 97),
    "move_pages": (279, 239),
    "perf_event_open": (298, 241),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "sched_setattr": (314, 274),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
    "memfd_secret": (447, 447),
}
_CLONE, _CLONE3, _PRLIMIT, _SOCKET = (56, 220), (435, 435), (302, 261), (41, 198)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NEW_USER = 0x10000000
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6


def seccomp_filter(machine: str | None = None) -> bytes | None:
    """The filter for this machine's (or `machine`'s) architecture as `bwrap --seccomp` reads it; None for one unknown.

    A refused call fails with EPERM, as it would without privilege, and the program goes on. `clone3`, whose flags a
    filter cannot see, is ENOSYS, upon which the C library takes `clone`.
    """
    place, architecture = _ARCHITECTURES.get(machine or platform.machine(), (0, 0))
    if not architecture:
        return None
    # Other calling conventions (32 bit, x32) number calls otherwise and are refused as a whole.
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), _failing(_EPERM), (_LOAD, 0, 0, _NUMBER)]
    code += [(_GREATER, 0, 1, 0x40000000), _failing(_ENOSYS)]
    for numbers in _REFUSED.values():
        if (number := numbers[place]) is not None:
            code += [(_EQUAL, 0, 1, number), _failing(_EPERM)]
    code += [(_EQUAL, 0, 1, _CLONE3[place]), _failing(_ENOSYS)]
    code += [(_EQUAL, 0, 4, _CLONE[place]), _argument(0), (_ANY_BIT, 0, 1, _NEW_USER), _failing(_EPERM), _allowed()]
    # Limits of oneself only.
    code += [(_EQUAL, 0, 4, _PRLIMIT[place]), _argument(0), (_EQUAL, 1, 0, 0), _failing(_EPERM), _allowed()]
    families = [(_EQUAL, len(_FAMILIES) - at, 0, family) for at, family in enumerate(_FAMILIES)]
    code += [(_EQUAL, 0, len(families) + 3, _SOCKET[place]), _argument(0), *families, _failing(_EAFNOSUPPORT)]
    code += [_allowed(), _allowed()]
    return b"".join(struct.pack("<HBBI", *one) for one in code)


_Instruction = tuple[int, int, int, int]


def _failing(error: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _allowed() -> _Instruction:
    return (_RETURN, 0, 0, _ALLOW)


def _argument(index: int) -> _Instruction:
    """Load the lower half of an argument."""
    return (_LOAD, 0, 0, 16 + 8 * index)
