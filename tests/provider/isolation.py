"""Runs a command where there is no network, no Docker engine and no credentials, and notes what it tries to send.

    unshare --net --mount python -m tests.provider.isolation FILE COMMAND...

The network has a way out that ends nowhere: a packet that the command wants to send to another machine, a question
for a name among them, is written to FILE. Needs root, or rights like it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

_IPV4 = 0x0800
_ALL_PROTOCOLS = 0x0003
_OUTSIDE = "out"
_SETUP = (
    "ip link set lo up",
    f"ip link add {_OUTSIDE} type veth peer name nowhere",
    f"ip address add 192.0.2.1/24 dev {_OUTSIDE}",
    f"ip link set {_OUTSIDE} up",
    "ip link set nowhere up",
    # Packets are sent only to a neighbour that is known.
    f"ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:01 dev {_OUTSIDE}",
    "ip route add default via 192.0.2.2",
    # The sockets of a Docker engine, and whatever else listens there.
    "mount -t tmpfs none /run",
)


def _listen(packets: list[str], ready: threading.Event) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as listener:
        listener.bind((_OUTSIDE, 0))
        ready.set()
        while True:
            frame, address = listener.recvfrom(2048)
            if address[1] == _IPV4:
                protocol, to = frame[23], socket.inet_ntoa(frame[30:34])
                port = int.from_bytes(frame[36:38], "big")
                packets.append(f"protocol {protocol} to {to}:{port}")


def main() -> int:
    """Set up, run, write down; return the exit code of the command."""
    report, *command = sys.argv[1:]
    for line in _SETUP:
        subprocess.run(line.split(), check=True)
    packets: list[str] = []
    ready = threading.Event()
    threading.Thread(target=_listen, args=(packets, ready), daemon=True).start()
    ready.wait()
    code = subprocess.run(command, check=False).returncode
    Path(report).write_text(json.dumps(packets), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
