"""The Redis exporter: what Redis tells about itself."""

from __future__ import annotations

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
from components.services.redis_exporter.render import render_command, render_passwords
from config.scraping import ScrapeJob

USER: Final = 2370
PORT: Final = 9121
ALIAS: Final = "redis-exporter"


@final
@dataclass(frozen=True, kw_only=True)
class RedisExporterArgs:
    """Inputs of :class:`RedisExporter`."""

    platform: Platform
    redis: str
    """Host name and port on the backend network."""
    password: pulumi.Output[str]


@final
class RedisExporter(pulumi.ComponentResource):
    """The Redis exporter, between Redis' network and Prometheus'."""

    container: docker.Container
    job: ScrapeJob

    def __init__(self, name: str, args: RedisExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:RedisExporter", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, redis = args.platform, args.redis
        passwords = args.password.apply(lambda password: render_passwords(redis, password))
        seed = Seed(name, SeedArgs(host=platform.host, owner=USER, files={"secrets/passwords.json": passwords}), child)
        budget = platform.tier.budgets["redis-exporter"]
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["redis-exporter"],
                user=USER,
                budget=budget,
                processes=64,
                entrypoint=["/redis_exporter"],
                command=render_command(PORT, redis, f"{CONFIG_MOUNT}/secrets/passwords.json"),
                environment={"GOMEMLIMIT": go_memory_limit(budget)},
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,)),
                    NetworkAttachment(network=platform.networks.backend.name),
                ],
                health=http_probe(PORT, "/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="redis", address=f"{ALIAS}:{PORT}")
        self.register_outputs({"container": self.container.name})
