"""Conduit, the homeserver this project exists for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    DATA_MOUNT,
    PROBE_MOUNT,
    ContainerSpec,
    Mount,
    NetworkAttachment,
    after,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.conduit.render import ConduitConfig, render_files
from components.trust import trust_environment, trust_files
from config.endpoints import CLIENT_VERSIONS
from config.homeservers import HOMESERVERS

FACTS: Final = HOMESERVERS["conduit"]


@final
@dataclass(frozen=True, kw_only=True)
class ConduitArgs:
    """Inputs of :class:`Conduit`."""

    platform: Platform
    registration_token: pulumi.Output[str] | None
    """None: registration is closed."""
    turn_secret: pulumi.Output[str] | None


@final
class Conduit(pulumi.ComponentResource):
    """Conduit with its config in a seeded file: it reads no secrets from files, and variables show in ``inspect``."""

    container: docker.Container
    upstream: str
    """Address and port on the edge network."""
    metrics: None = None
    """Conduit 0.10 has none of its own."""

    def __init__(self, name: str, args: ConduitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Conduit", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform = args.platform
        data = platform.volumes.homeservers["conduit"]
        address = str(platform.addresses.homeservers["conduit"])
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=FACTS.user, files=_files(args), data_volumes=[data]),
            child,
        )
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["conduit"],
                user=FACTS.user,
                budget=platform.homeserver_budget,
                processes=512,
                environment={
                    "CONDUIT_CONFIG": f"{CONFIG_MOUNT}/conduit.toml",
                    **trust_environment(platform.settings),
                },
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=data.name, target=DATA_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.edge.name, address=address),
                    *platform.inside,
                ],
                dns=platform.settings.dns_servers,
                health=http_probe(FACTS.port, CLIENT_VERSIONS),
                # It finishes open requests for up to 30 s after SIGTERM.
                grace_seconds=40,
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=120),
        )
        self.upstream = f"{address}:{FACTS.port}"
        self.register_outputs({"container": self.container.name})


def _files(args: ConduitArgs) -> Mapping[str, pulumi.Input[str]]:
    settings, tier = args.platform.settings, args.platform.tier
    config = ConduitConfig(
        server_name=settings.server_name,
        port=FACTS.port,
        client_url=settings.homeserver_url,
        federation_address=settings.federation_address,
        federation=settings.federation,
        upload_limit=settings.upload_limit,
        cache=tier.conduit_cache,
        cache_modifier=tier.conduit_cache_modifier,
        registration_token=None,
        turn_uris=settings.turn_uris,
        turn_secret="",
    )
    if args.registration_token is None and args.turn_secret is None:
        return {**render_files(config), **trust_files(settings)}

    def text(secrets: Sequence[str]) -> str:
        token, turn = secrets
        return render_files(replace(config, registration_token=token or None, turn_secret=turn))["conduit.toml"]

    known = pulumi.Output.all(args.registration_token or "", args.turn_secret or "")
    return {**trust_files(settings), "conduit.toml": known.apply(text)}
