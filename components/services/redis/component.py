"""Redis: on the internal network only. Synapse uses it; Conduit has no code that would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    DATA_MOUNT,
    ContainerSpec,
    Mount,
    NetworkAttachment,
    after,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.redis.render import RedisConfig, render_files, render_users

USER: Final = 2200
PORT: Final = 6379
ALIAS: Final = "redis"


@final
@dataclass(frozen=True, kw_only=True)
class RedisArgs:
    """Inputs of :class:`Redis`."""

    platform: Platform
    password: pulumi.Output[str]


@final
class Redis(pulumi.ComponentResource):
    """A Redis with a password, whose data outlives its container."""

    container: docker.Container
    address: str
    """Host name and port on the backend network."""

    def __init__(self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Redis", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, tier = args.platform, args.platform.tier
        config = RedisConfig(port=PORT, maxmemory=tier.redis_data * 2**20, policy="allkeys-lru")
        seed = Seed(
            name,
            SeedArgs(
                host=platform.host,
                owner=USER,
                files={
                    **render_files(config),
                    "secrets/users.conf": args.password.apply(render_users),
                    "secrets/password": args.password,
                },
                data_volumes=[platform.volumes.redis],
            ),
            child,
        )
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["redis"],
                user=USER,
                budget=tier.budgets["redis"],
                processes=64,
                entrypoint=["redis-server"],
                command=[f"{CONFIG_MOUNT}/redis.conf"],
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.volumes.redis.name, target=DATA_MOUNT, read_only=False),
                ],
                networks=[NetworkAttachment(network=platform.networks.backend.name, aliases=(ALIAS,))],
                health=[
                    "CMD-SHELL",
                    # The password stays out of the process list.
                    f'REDISCLI_AUTH="$(cat {CONFIG_MOUNT}/secrets/password)" redis-cli ping | grep -q PONG',
                ],
            ),
            child,
            wait_timeout=after(seed.one_shot, seconds=60),
        )
        self.address = f"{ALIAS}:{PORT}"
        self.register_outputs({"container": self.container.name})
