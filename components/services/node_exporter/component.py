"""The node exporter: the machine's processors, memory and disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    LABEL_STACK,
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
from components.services.node_exporter.render import WATCHED, render_command
from config.scraping import ScrapeJob

USER: Final = 2340
PORT: Final = 9100
ALIAS: Final = "node-exporter"
TEXTFILES: Final = "/textfiles"

SYSTEM_FILE: Final = "/usr/lib/os-release"
"""A file that every Linux has on its system disk and that holds no secret (os-release(5)): mounted, it shows how full
that disk is. A folder would show what is in it, and / or /run lead to the Docker socket."""


@final
@dataclass(frozen=True, kw_only=True)
class NodeExporterArgs:
    """Inputs of :class:`NodeExporter`."""

    platform: Platform


@final
class NodeExporter(pulumi.ComponentResource):
    """The node exporter, without the machine's root and without its network."""

    container: docker.Container
    job: ScrapeJob
    textfiles: docker.Volume
    """Metrics that others write as files (``*.prom``) and this exporter tells. Whoever writes there is root."""

    def __init__(self, name: str, args: NodeExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:NodeExporter", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        self.textfiles = docker.Volume(
            f"{name}-textfiles",
            name=f"{platform.host.prefix}-{name}-textfiles",
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=settings.stack)],
            opts=child,
        )
        data = platform.volumes.homeservers[settings.homeserver]
        budget = platform.tier.budgets["node-exporter"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["node-exporter"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=["node_exporter"],
                command=render_command(PORT, TEXTFILES),
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=data.name, target=f"{WATCHED}/data"),
                    Mount(volume=self.textfiles.name, target=TEXTFILES),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                host_paths=[HostPath(source=SYSTEM_FILE, target=f"{WATCHED}/system")],
                networks=[NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,))],
                health=http_probe(PORT, "/"),
            ),
            child,
            wait_timeout=after(platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="node", address=f"{ALIAS}:{PORT}")
        self.register_outputs({"container": self.container.name})
