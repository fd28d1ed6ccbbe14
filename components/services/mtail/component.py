"""mtail: counts Nginx' answers, by status, and how long they took."""

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
    Mount,
    NetworkAttachment,
    after,
    go_memory_limit,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs, SharedVolume
from components.services.mtail.render import render_command, render_files
from config.scraping import LOG_MOUNT, LOG_SOCKET, ScrapeJob

USER: Final = 2360
PORT: Final = 3903
ALIAS: Final = "mtail"


@final
@dataclass(frozen=True, kw_only=True)
class MtailArgs:
    """Inputs of :class:`Mtail`."""

    platform: Platform
    log: docker.Volume
    """Where Nginx writes each line to a Unix socket. A datagram: nobody has to rotate it, and neither waits for the
    other. By a name on the network, Nginx would not start without mtail."""


@final
class Mtail(pulumi.ComponentResource):
    """Mtail, which reads a socket and tells metrics."""

    container: docker.Container
    job: ScrapeJob

    def __init__(self, name: str, args: MtailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Mtail", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform = args.platform
        seed = Seed(
            name,
            SeedArgs(
                host=platform.host,
                owner=USER,
                files=render_files(),
                shared_volumes=[SharedVolume(volume=args.log, group=None)],
            ),
            child,
        )
        budget = platform.tier.budgets["mtail"]
        program, *command = render_command(PORT, CONFIG_MOUNT, LOG_SOCKET, BUSYBOX)
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["mtail"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=[program],
                command=command,
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=args.log.name, target=LOG_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,))],
                health=http_probe(PORT, "/metrics"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="nginx", address=f"{ALIAS}:{PORT}")
        self.register_outputs({"container": self.container.name})
