"""Grafana: shows what Prometheus has measured. People reach it on loopback, or through Nginx, with a password."""

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
    PublishedPort,
    after,
    go_memory_limit,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.grafana.render import (
    ADMIN_PASSWORD_FILE,
    SECRET_KEY_FILE,
    GrafanaConfig,
    render_command,
    render_environment,
    render_files,
)
from config.dashboards import dashboard_files
from config.scraping import GRAFANA_ALIAS, GRAFANA_PORT
from config.settings import LOOPBACK

USER: Final = 2330


@final
@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """Inputs of :class:`Grafana`."""

    platform: Platform
    prometheus: str
    """Host name and port of Prometheus on the monitoring network."""
    admin_password: pulumi.Output[str]
    secret_key: pulumi.Output[str]
    """What Grafana signs sessions with."""


@final
class Grafana(pulumi.ComponentResource):
    """Grafana. What people have set in it outlives its container, not `make down`; dashboards come with the config."""

    container: docker.Container

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Grafana", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        config = GrafanaConfig(
            port=GRAFANA_PORT,
            url=settings.grafana_url,
            prometheus=args.prometheus,
            dashboards=dashboard_files(settings),
        )
        # Accounts and sessions, in one SQLite file.
        database = docker.Volume(
            f"{name}-database",
            name=f"{platform.host.prefix}-{name}-database",
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=settings.stack)],
            opts=child,
        )
        secrets = {ADMIN_PASSWORD_FILE: args.admin_password, SECRET_KEY_FILE: args.secret_key}
        seed = Seed(
            name,
            SeedArgs(
                host=platform.host,
                owner=USER,
                files={**render_files(config, CONFIG_MOUNT), **secrets},
                data_volumes=[database],
            ),
            child,
        )
        budget = platform.tier.budgets["grafana"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["grafana"],
                user=USER,
                budget=budget,
                processes=256,
                # Not the image's start script: it would put what it reads from files into the environment.
                entrypoint=["grafana"],
                command=render_command(CONFIG_MOUNT),
                environment={**render_environment(CONFIG_MOUNT, DATA_MOUNT), "GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=database.name, target=DATA_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name),
                    # An internal network publishes no port, not even on loopback.
                    NetworkAttachment(
                        network=platform.networks.operators.name,
                        aliases=(GRAFANA_ALIAS,) if settings.dashboards_over_https else (),
                    ),
                ],
                ports=[PublishedPort(internal=GRAFANA_PORT, external=settings.grafana_port, address=LOOPBACK)],
                health=http_probe(GRAFANA_PORT, "/api/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=180),
        )
        self.register_outputs({"container": self.container.name})
