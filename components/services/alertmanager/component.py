"""Alertmanager: gathers alerts, keeps quiet about what follows from others, and repeats what nobody has mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    DATA_MOUNT,
    LABEL_STACK,
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
from components.services.alertmanager.render import AlertmanagerConfig, render_command, render_files
from config.scraping import ScrapeJob

USER: Final = 2310
PORT: Final = 9093
ALIAS: Final = "alertmanager"


@final
@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """Inputs of :class:`Alertmanager`."""

    platform: Platform
    relay: str
    """Host name and port of the relay on the monitoring network; empty: nobody is told of anything."""


@final
class Alertmanager(pulumi.ComponentResource):
    """Alertmanager, on a network without a way out: the relay has one."""

    container: docker.Container
    address: str
    """Host name and port on the monitoring network."""
    job: ScrapeJob

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Alertmanager", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, alerting = args.platform, args.platform.settings.alerting
        self.address = f"{ALIAS}:{PORT}"
        self.job = ScrapeJob(name="alertmanager", address=self.address)
        config = AlertmanagerConfig(
            port=PORT, relay=args.relay, receivers=alerting.alerts, time_scale=alerting.alert_time_scale
        )
        # Silences, and what has been told to whom: without it everything would be told again after a restart.
        notes = docker.Volume(
            f"{name}-notes",
            name=f"{platform.host.prefix}-{name}-notes",
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=platform.settings.stack)],
            opts=child,
        )
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=USER, files=render_files(config), data_volumes=[notes]),
            child,
        )
        budget = platform.tier.budgets["alertmanager"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["alertmanager"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=["alertmanager"],
                command=render_command(config, CONFIG_MOUNT, DATA_MOUNT),
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=notes.name, target=DATA_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,))],
                health=http_probe(PORT, "/-/ready"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=120),
        )
        self.register_outputs({"container": self.container.name})
