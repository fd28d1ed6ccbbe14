"""A booted instance with the program's user data, and the ways in."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, final

import docker

from components.aliyun.cloud_init import ADMIN_USER, CloudInitArgs, render_user_data
from ops import docker_host
from ops.docker_host import DockerHost
from tests.aliyun.emulation.hosts import SystemContainers
from tests.aliyun.emulation.hypervisor import Guest, IngressRule
from tests.aliyun.samples import CLOUD_INIT

INTERNET: Final = IPv4Network("198.18.53.0/24")
"""For benchmarks; a rehearsal has TEST-NET-2, so that both may run. TEST-NET-1 and 3 are in use on some machines."""
NAME: Final = "matrix-rehearsal-test"
"""Of the bridge."""
ADDRESS: Final = IPv4Address("198.18.53.200")
SUBNET: Final = IPv4Network("10.89.80.0/24")
"""Of the containers."""
DISK: Final = "d-test0"
CPUS: Final = (os.cpu_count() or 1) + 2
"""More than this machine has."""
BOOT_SECONDS: Final = 420
ANYONE: Final = IPv4Network("0.0.0.0/0")


def rule(source: IPv4Network, port: int, protocol: str = "tcp") -> IngressRule:
    """Return a rule that lets a port in."""
    return IngressRule(protocol=protocol, first_port=port, last_port=port, source=source, accept=True, priority=1)


def eventually(what: str, ready: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < ends, f"{what}: not within {seconds} s"
        time.sleep(2)


def key_pair(folder: Path, name: str) -> tuple[str, str]:
    """Make an ed25519 key pair; return the private and the public half."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


@final
@dataclass(frozen=True, kw_only=True)
class Ground:
    """A hypervisor with one data disk, and user data that instances are booted with."""

    hypervisor: SystemContainers
    args: CloudInitArgs
    host: DockerHost

    def guest(self, instance_id: str) -> Guest:
        """Return an instance as it is booted."""
        return Guest(
            instance_id=instance_id,
            host_name=self.args.host_name,
            private_address=IPv4Address("10.20.0.5"),
            user_data=render_user_data(self.args).encode(),
            authorized_keys=[self.args.admin_key_public],
            cpus=CPUS,
            memory=2048,
        )

    def boot(self, instance_id: str) -> None:
        """Boot an instance without its data disk, and give it the address."""
        self.hypervisor.create(self.guest(instance_id))
        self.hypervisor.filter(instance_id, self.rules)
        self.hypervisor.associate_address(instance_id, ADDRESS)

    @property
    def rules(self) -> list[IngressRule]:
        """What a stack lets in: its ports for all, ssh for this machine only."""
        machine = IPv4Network(f"{INTERNET.network_address + 1}/32")
        return [*(rule(ANYONE, port) for port in (80, 443, 8448)), rule(machine, 22)]

    def ask(self, *words: str) -> str:
        """Run something on the host over ssh."""
        done = docker_host.run(self.host, *words, seconds=120)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def wait_for_cloud_init(self, instance_id: str) -> str:
        """Wait until cloud-init is done, however it went; return its status and, of a failure, its last words."""
        console = self.hypervisor.console
        # Written at its end; to ask cloud-init itself takes a second of processor each time.
        eventually(
            "cloud-init ends",
            lambda: "errors" in console(instance_id, "cat", "/run/cloud-init/result.json"),
            BOOT_SECONDS,
        )
        status = console(instance_id, "cloud-init", "status", "--long")
        done = "status: done" in status
        return (
            status
            if done
            else f"{status}\n{console(instance_id, 'tail', '-n', '30', '/var/log/cloud-init-output.log')}"
        )

    def wait_for_docker(self) -> None:
        """Wait until Docker answers over ssh."""
        eventually("Docker answers", lambda: not docker_host.missing(self.host), BOOT_SECONDS)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Give an empty hypervisor with a disk of 4 GiB."""
    host_private, host_public = key_pair(folder, "host")
    admin_private, admin_public = key_pair(folder, "admin")
    host = DockerHost(address=str(ADDRESS), user=ADMIN_USER, port=22, host_key=host_public, private_key=admin_private)
    args = replace(
        CLOUD_INIT,
        host_key_private=host_private,
        host_key_public=host_public,
        admin_key_public=admin_public,
        data_disk_serial=DISK.removeprefix("d-"),
        container_subnet=SUBNET,
    )
    before = os.environ.get(docker_host.KEYS_VARIABLE)
    os.environ[docker_host.KEYS_VARIABLE] = str(folder / "keys")
    client = docker.from_env(timeout=300)
    hypervisor = SystemContainers(folder / "emulation", client, name=NAME, internet=INTERNET)
    try:
        docker_host.write_key(host)
        hypervisor.create_disk(DISK, 4)
        yield Ground(hypervisor=hypervisor, args=args, host=host)
    finally:
        hypervisor.close()
        client.close()
        if before is None:
            del os.environ[docker_host.KEYS_VARIABLE]
        else:
            os.environ[docker_host.KEYS_VARIABLE] = before
