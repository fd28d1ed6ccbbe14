"""cAdvisor: memory, processor and disk of each container, by its control group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    PROBE_MOUNT,
    ContainerSpec,
    HostPath,
    Mount,
    NetworkAttachment,
    after,
    go_memory_limit,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.services.cadvisor.render import CONTAINER_ID, render_command
from config.scraping import ScrapeJob

USER: Final = 2380
PORT: Final = 8080
ALIAS: Final = "cadvisor"


@final
@dataclass(frozen=True, kw_only=True)
class CadvisorArgs:
    """Inputs of :class:`Cadvisor`."""

    platform: Platform


@final
class Cadvisor(pulumi.ComponentResource):
    """Without the Docker socket, and so without names: rules join them by id, from the Docker facts."""

    container: docker.Container
    job: ScrapeJob

    def __init__(self, name: str, args: CadvisorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Cadvisor", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform = args.platform
        budget = platform.tier.budgets["cadvisor"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["cadvisor"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=["/usr/bin/cadvisor"],
                command=render_command(PORT),
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[Mount(volume=platform.probe.volume, target=PROBE_MOUNT)],
                host_paths=[HostPath(source="/sys", target="/sys")],
                networks=[NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,))],
                health=http_probe(PORT, "/healthz"),
            ),
            child,
            wait_timeout=after(platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="cadvisor", address=f"{ALIAS}:{PORT}", ids=CONTAINER_ID)
        self.register_outputs({"container": self.container.name})
