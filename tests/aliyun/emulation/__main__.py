"""``python -m tests.aliyun.emulation --state DIR``: an emulated Aliyun that serves until it is told to stop."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from pathlib import Path

import docker

from tests.aliyun.emulation.emulation import Emulation, Options
from tests.aliyun.emulation.hypervisor import Hypervisor, Nothing


def main(arguments: list[str] | None = None) -> int:
    """Serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.aliyun.emulation", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder of everything that it keeps")
    parser.add_argument("--no-hosts", action="store_true", help="run no machines: the API alone")
    parser.add_argument("--region", default="cn-hangzhou")
    parser.add_argument("--domain", action="append", default=[], help="a zone at Alidns; several are possible")
    parser.add_argument("--port", type=int, default=0, help="of the API (default: any free one)")
    parser.add_argument("--control-port", type=int, default=0, help="of the control interface")
    parser.add_argument("--dns", default="127.0.0.1:0", metavar="ADDRESS:PORT", help="of the name server")
    parser.add_argument("--settle", type=float, default=1.0, metavar="SECONDS", help="what every change takes at least")
    wanted = parser.parse_args(arguments)
    address, _, port = wanted.dns.rpartition(":")
    if not address or not port.isdigit():
        parser.error(f"--dns {wanted.dns}: write an address and a port, such as 127.0.0.1:53")
    options = Options(
        state=wanted.state.absolute(),
        region=wanted.region,
        domains=wanted.domain or ["example.com"],
        hypervisor=_hypervisor(wanted.state.absolute(), none=wanted.no_hosts),
        settle=wanted.settle,
        port=wanted.port,
        control_port=wanted.control_port,
        dns_address=address,
        dns_port=int(port),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        emulation = Emulation(options)
    except OSError as error:
        print(f"The emulated Aliyun cannot start: {error}. Is another one running on {options.state}?", file=sys.stderr)
        return 1
    with emulation:
        print(f"Emulated Aliyun, process {os.getpid()}: . {options.state}/environment", flush=True)
        stop.wait()
    return 0


def _hypervisor(state: Path, *, none: bool) -> Hypervisor:
    if none:
        return Nothing()
    hosts = importlib.import_module("tests.aliyun.emulation.hosts")  # only then: it needs a Docker engine
    hypervisor: Hypervisor = hosts.SystemContainers(state / "hosts", docker.from_env())
    return hypervisor


if __name__ == "__main__":
    sys.exit(main())
