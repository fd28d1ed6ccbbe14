"""Which ports of a host answer to a machine on the instance's own bridge, outside of adminCidrs.

From another network of the Docker engine a scan would prove nothing: those are kept apart in any case.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from typing import Final

import docker

from tests.recording import ROOT
from tests.services.images import built

ALL_PORTS: Final = range(1, 65536)


def open_ports(network: str, address: str, ports: Collection[int] = ALL_PORTS) -> set[int]:
    """Return the ports of an address that answer to a neighbour.

    Args:
        network: the bridge, by its name in the Docker engine.
        address: of the host.
        ports: which ones are tried.

    """
    client = docker.from_env(timeout=300)
    scanner = client.containers.run(built(client, "toolbox"), ["sleep", "600"], detach=True, network=network, init=True)
    try:
        scanner.reload()
        pid = scanner.attrs["State"]["Pid"]
        code = f"from tests.aliyun.scan import scan; scan({address!r}, {ports!r})"
        done = subprocess.run(
            ["nsenter", f"--target={pid}", "--net", sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        scanner.remove(force=True)
        client.close()
    return set(json.loads(done.stdout))


def scan(address: str, ports: Collection[int]) -> None:
    """Print which of some ports answer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    size = min(4000, most - 100)
    # Until the address of its card is known, most of a batch would be dropped on this side.
    with socket.socket() as first:
        first.settimeout(1)
        first.connect_ex((address, 9))
    wanted, found = list(ports), []
    for batch in (wanted[at : at + size] for at in range(0, len(wanted), size)):
        with ExitStack() as stack:
            sockets = {port: stack.enter_context(socket.socket()) for port in batch}
            for port, each in sockets.items():
                each.settimeout(0)
                each.connect_ex((address, port))
            # What is dropped never answers. A machine under load may take a retransmission, after a second.
            time.sleep(2.5)
            for port, each in sockets.items():
                with suppress(OSError):
                    each.getpeername()
                    found.append(port)
    print(json.dumps(found))
