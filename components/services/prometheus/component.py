"""Prometheus: measures, keeps what was measured, and evaluates the rules.

People reach it on loopback, or through Nginx.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    PublishedPort,
    after,
    go_memory_limit,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.prometheus.render import PrometheusConfig, render_command, render_files
from config.scraping import PROMETHEUS_ALIAS, PROMETHEUS_PORT, Probe, ScrapeJob
from config.settings import LOOPBACK

USER: Final = 2300


@final
@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """Inputs of :class:`Prometheus`."""

    platform: Platform
    jobs: Sequence[ScrapeJob]
    """Of the other parts; its own is added."""
    probes: Sequence[Probe]
    blackbox: str
    """Host name and port of the blackbox exporter."""
    rules: str
    """Text of the file with the rules."""
    alertmanager: str = ""
    """Host name and port, where there is one."""


@final
class Prometheus(pulumi.ComponentResource):
    """Prometheus. What it has measured outlives its container, not `make down`."""

    container: docker.Container
    address: str
    """Host name and port on the monitoring network."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Prometheus", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings, tier = args.platform, args.platform.settings, args.platform.tier
        self.address = f"{PROMETHEUS_ALIAS}:{PROMETHEUS_PORT}"
        config = PrometheusConfig(
            port=PROMETHEUS_PORT,
            url=settings.prometheus_url,
            stack=settings.stack,
            jobs=[ScrapeJob(name="prometheus", address=self.address), *args.jobs],
            probes=args.probes,
            blackbox=args.blackbox,
            alertmanager=args.alertmanager,
            rules=args.rules,
            days=tier.metrics_days,
            size=tier.metrics_size,
        )
        metrics = docker.Volume(
            f"{name}-metrics",
            name=f"{platform.host.prefix}-{name}-metrics",
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=settings.stack)],
            opts=child,
        )
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=USER, files=render_files(config), data_volumes=[metrics]),
            child,
        )
        budget = tier.budgets["prometheus"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["prometheus"],
                user=USER,
                budget=budget,
                processes=128,
                entrypoint=["prometheus"],
                command=render_command(config, CONFIG_MOUNT, DATA_MOUNT),
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=metrics.name, target=DATA_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name, aliases=(PROMETHEUS_ALIAS,)),
                    # An internal network publishes no port, not even on loopback.
                    NetworkAttachment(
                        network=platform.networks.operators.name,
                        aliases=(PROMETHEUS_ALIAS,) if settings.dashboards_over_https else (),
                    ),
                ],
                ports=[PublishedPort(internal=PROMETHEUS_PORT, external=settings.prometheus_port, address=LOOPBACK)],
                health=http_probe(PROMETHEUS_PORT, "/-/ready"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=120),
        )
        self.register_outputs({"container": self.container.name})
