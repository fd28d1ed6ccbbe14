"""The blackbox exporter: asks what clients and other homeservers ask, where they ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
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
from components.seed import Seed, SeedArgs
from components.services.blackbox_exporter.render import render_config
from config.scraping import Probe

USER: Final = 2350
PORT: Final = 9115
ALIAS: Final = "blackbox-exporter"


@final
@dataclass(frozen=True, kw_only=True)
class BlackboxExporterArgs:
    """Inputs of :class:`BlackboxExporter`."""

    platform: Platform
    probes: Sequence[Probe]
    ca_pem: pulumi.Output[str] | None
    """The CAs that Nginx' certificate is held against; None: it is not."""


@final
class BlackboxExporter(pulumi.ComponentResource):
    """The blackbox exporter, on the network of Nginx and the homeserver."""

    container: docker.Container
    address: str
    """Host name and port on the monitoring network."""

    def __init__(self, name: str, args: BlackboxExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:BlackboxExporter", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform = args.platform
        files: dict[str, pulumi.Input[str]] = {
            "blackbox.yml": render_config(args.probes, f"{CONFIG_MOUNT}/ca.pem" if args.ca_pem else ""),
            **({"ca.pem": args.ca_pem} if args.ca_pem else {}),
        }
        seed = Seed(name, SeedArgs(host=platform.host, owner=USER, files=files), child)
        budget = platform.tier.budgets["blackbox-exporter"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["blackbox-exporter"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=["blackbox_exporter"],
                command=[
                    f"--config.file={CONFIG_MOUNT}/blackbox.yml",
                    f"--web.listen-address=0.0.0.0:{PORT}",
                    "--log.level=warn",
                ],
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,)),
                    NetworkAttachment(network=platform.networks.edge.name),
                ],
                health=http_probe(PORT, "/-/healthy"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.address = f"{ALIAS}:{PORT}"
        self.register_outputs({"container": self.container.name})
