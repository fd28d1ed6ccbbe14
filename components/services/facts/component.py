"""Docker facts: restarts, health and kills for want of memory, from one container without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    BUSYBOX,
    CONFIG_MOUNT,
    PROBE_MOUNT,
    ContainerSpec,
    HostPath,
    Mount,
    after,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.templates import program

USER: Final = 0
"""The Docker engine's files are root's alone. It has none of root's rights but to read the kernel's log."""
PROGRAM: Final = "docker_facts.py"


@final
@dataclass(frozen=True, kw_only=True)
class FactsArgs:
    """Inputs of :class:`Facts`."""

    platform: Platform
    textfiles: docker.Volume
    """Where the node exporter looks for metrics."""


@final
class Facts(pulumi.ComponentResource):
    """One program that reads the Docker engine's files and the kernel's log, the same on every kind of host.

    It could read the environment of every container on the machine: one more reason for no secrets there.
    """

    container: docker.Container

    def __init__(self, name: str, args: FactsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Facts", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        seed = Seed(name, SeedArgs(host=platform.host, owner=USER, files={PROGRAM: program("facts", PROGRAM)}), child)
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["python"],
                user=USER,
                budget=platform.tier.budgets["facts"],
                processes=16,
                entrypoint=["python3"],
                command=["-u", f"{CONFIG_MOUNT}/{PROGRAM}"],
                environment={"STACK": settings.stack},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=args.textfiles.name, target="/textfiles", read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                host_paths=[HostPath(source=f"{platform.docker_root}/containers", target="/docker/containers")],
                devices=["/dev/kmsg"],
                capabilities=["CAP_SYSLOG"],
                health=[
                    "CMD-SHELL",
                    # Written within the last two minutes.
                    f"{BUSYBOX} find /textfiles/containers.prom -mmin -2 | {BUSYBOX} grep -q .",
                ],
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.register_outputs({"container": self.container.name})
