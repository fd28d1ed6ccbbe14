"""Dendrite: the homeserver that is one Go program and can be built from Go modules."""

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
    go_memory_limit,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.dendrite.render import DendriteConfig, render_files
from components.trust import trust_environment, trust_files
from config.homeservers import HOMESERVERS
from config.scraping import HOMESERVER_ALIAS, ScrapeJob

FACTS: Final = HOMESERVERS["dendrite"]


@final
@dataclass(frozen=True, kw_only=True)
class DendriteArgs:
    """Inputs of :class:`Dendrite`."""

    platform: Platform
    registration_secret: pulumi.Output[str]
    turn_secret: pulumi.Output[str] | None


@final
class Dendrite(pulumi.ComponentResource):
    """Dendrite on SQLite, one file for each of its parts. Nobody registers; `make invite` makes accounts."""

    container: docker.Container
    upstream: str
    """Address and port on the edge network."""
    metrics: ScrapeJob | None
    """Its own metrics, where the settings ask for them."""

    def __init__(self, name: str, args: DendriteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Dendrite", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform = args.platform
        data = platform.volumes.homeservers["dendrite"]
        address = str(platform.addresses.homeservers["dendrite"])
        budget = platform.homeserver_budget
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=FACTS.user, files=_files(args), data_volumes=[data]),
            child,
        )
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["dendrite"],
                user=FACTS.user,
                budget=budget,
                processes=512,
                entrypoint=["sh"],
                command=[f"{CONFIG_MOUNT}/start.sh"],
                environment={"GOMEMLIMIT": go_memory_limit(budget), **trust_environment(platform.settings)},
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
                health=http_probe(FACTS.port, "/_dendrite/monitor/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=120),
        )
        self.upstream = f"{address}:{FACTS.port}"
        inside = platform.settings.monitoring == "full"
        self.metrics = ScrapeJob(name="homeserver", address=f"{HOMESERVER_ALIAS}:{FACTS.port}") if inside else None
        self.register_outputs({"container": self.container.name})


def _files(args: DendriteArgs) -> Mapping[str, pulumi.Input[str]]:
    settings = args.platform.settings
    config = DendriteConfig(
        server_name=settings.server_name,
        port=FACTS.port,
        client_url=settings.homeserver_url,
        federation_address=settings.federation_address,
        federation=settings.federation,
        private_ranges=settings.federation_private_ranges,
        upload_limit=settings.upload_limit,
        cache=args.platform.tier.dendrite_cache,
        metrics=settings.monitoring == "full",
        registration_secret="",
        turn_uris=settings.turn_uris,
        turn_secret="",
    )

    def text(secrets: Sequence[str]) -> str:
        registration, turn = secrets
        return render_files(replace(config, registration_secret=registration, turn_secret=turn))["dendrite.yaml"]

    known = pulumi.Output.all(args.registration_secret, args.turn_secret or "")
    return {**render_files(config), **trust_files(settings), "dendrite.yaml": known.apply(text)}
