"""Puts this process and what it starts where an unprivileged container is: no namespaces to be had.

A filter of system calls does it, as container runtimes install one. It cannot be taken off again,
so that a whole benchmark runs within it. Measures nothing.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import platform
import struct

NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
#: `CLONE_NEW*` but the time namespace, whose bit `clone` uses otherwise.
NEW_NAMESPACES = 0x7E020000
#: unshare, setns, mount, pivot_root; clone3; clone.
NUMBERS = {
    "x86_64": ((272, 308, 165, 155), 435, 56),
    "aarch64": ((97, 268, 40, 41), 435, 220),
}
#: The user nobody of every distribution.
NOBODY = 65534


def enter() -> None:
    """Refuses namespaces from now on.

    Raises:
        OSError: The kernel does not take the filter.
        KeyError: The numbers of this machine's system calls are not known here.
    """
    refused, clone3, clone = NUMBERS[platform.machine()]
    lines = [(LOAD, 0, 0, 0)]
    for number in refused:
        lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    # Its flags cannot be seen: without it programs use `clone`.
    lines += [(JUMP_EQUAL, 0, 1, clone3), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    lines += [
        (JUMP_EQUAL, 0, 3, clone),
        (LOAD, 0, 0, 16),
        (JUMP_ANY_BIT, 0, 1, NEW_NAMESPACES),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HP", len(lines), ctypes.addressof(code))
    library = ctypes.CDLL(None, use_errno=True)
    for call in ((NO_NEW_PRIVS, 1, 0, 0, 0), (SECCOMP, FILTER, program, 0, 0)):
        if library.prctl(*call):
            raise OSError(ctypes.get_errno(), "prctl")


def become_nobody() -> None:
    """Gives up root for good."""
    # What `os.wait4` imports may lie in root's home.
    importlib.import_module("resource")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
