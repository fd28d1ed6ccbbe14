"""Lets a guest see as many processors as its instance type has, whatever this machine has.

A Docker engine refuses a container that may use more processors than it counts, so the larger tiers could not be
rehearsed on a small machine. Programs count them with ``sched_getaffinity``; a seccomp filter hands that one call of
every process of the guest to a thread here, which answers it (seccomp_unotify(2), Linux 5.9). ``/proc/cpuinfo`` and the
scheduler know the truth.

:func:`main` runs in the guest, before its init: it installs the filter, which all later processes inherit.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import os
import platform
import select
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Final, final

_SECCOMP, _SCHED_GETAFFINITY, _AUDIT_ARCH = {
    "x86_64": (317, 204, 0xC000003E),
    "aarch64": (277, 123, 0xC00000B7),
}[platform.machine()]
_SET_MODE_FILTER: Final = 1
_FLAG_NEW_LISTENER: Final = 1 << 3
_RET_ALLOW: Final = 0x7FFF0000
_RET_USER_NOTIF: Final = 0x7FC00000
_NOTIF_RECV: Final = 0xC0502100
_NOTIF_SEND: Final = 0xC0182101
_NOTIF: Final = struct.Struct("=QIIiIQ6Q")
"""id, pid, flags; nr, arch, instruction pointer, six arguments."""
_RESPONSE: Final = struct.Struct("=QqiI")
"""id, value, error, flags."""
_WORD: Final = 8

SOCKET: Final = "processors.sock"
FOLDER: Final = "/rehearsal"
"""Where the guest finds this file and the socket."""


@final
class Processors:
    """Answers for one boot of a guest.

    Args:
        folder: in which the guest finds the socket.
        count: how many processors it is to see, up to 64.

    """

    def __init__(self, folder: Path, count: int) -> None:
        self._mask = struct.pack("=Q", (1 << count) - 1)
        path = folder / SOCKET
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60)
        # The path of a socket has room for about a hundred characters; by its folder's descriptor it is short.
        descriptor = os.open(folder, os.O_PATH)
        try:
            self._socket.bind(f"/proc/self/fd/{descriptor}/{SOCKET}")
        finally:
            os.close(descriptor)
        self._socket.listen(1)
        threading.Thread(target=self._serve, name="processors", daemon=True).start()

    def _serve(self) -> None:
        with self._socket:
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                return  # it never started
        with connection:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        (listener,) = descriptors
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        try:
            while not poll.poll()[0][1] & select.POLLHUP:
                with contextlib.suppress(OSError):  # whoever asked has died since
                    self._answer(listener)
        finally:
            os.close(listener)

    def _answer(self, listener: int) -> None:
        request = bytearray(_NOTIF.size)
        fcntl.ioctl(listener, _NOTIF_RECV, request)
        number, process, _, _, _, _, _, length, address, *_ = _NOTIF.unpack(request)
        value = error = 0
        if length < _WORD:
            error = -22  # EINVAL, as from a kernel for 64 processors
        else:
            value = _WORD
            with Path(f"/proc/{process}/mem").open("r+b", buffering=0) as memory:
                memory.seek(address)
                memory.write(self._mask)
        fcntl.ioctl(listener, _NOTIF_SEND, bytearray(_RESPONSE.pack(number, value, error, 0)))


def _install_filter() -> int:
    """Install the filter; return the descriptor on which calls are received."""
    instructions = b"".join(
        struct.pack("=HBBI", *each)
        for each in (
            (0x20, 0, 0, 4),  # load the architecture
            (0x15, 0, 3, _AUDIT_ARCH),  # another one: allow
            (0x20, 0, 0, 0),  # load the number of the call
            (0x15, 0, 1, _SCHED_GETAFFINITY),
            (0x06, 0, 0, _RET_USER_NOTIF),
            (0x06, 0, 0, _RET_ALLOW),
        )
    )
    code = ctypes.create_string_buffer(instructions, len(instructions))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(instructions) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.syscall(_SECCOMP, _SET_MODE_FILTER, _FLAG_NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp with a listener")
    return int(listener)


def main(gate: str, init: str) -> None:
    """Install the filter, wait until the file ``gate`` is there, and become ``init``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"{FOLDER}/{SOCKET}")
        listener = _install_filter()
        connection.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.close(listener)
    while not Path(gate).exists():
        time.sleep(0.1)
    os.execv(init, [init])  # noqa: S606 (the guest's init)


if __name__ == "__main__":
    main(*sys.argv[1:])
