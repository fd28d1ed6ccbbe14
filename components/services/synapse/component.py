"""Synapse: the homeserver that can be built from packages, for machines that reach no container registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    one_shot_container,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.synapse.render import SynapseConfig, render_files
from components.templates import program
from components.trust import trust_environment, trust_files
from config.homeservers import HOMESERVERS
from config.scraping import HOMESERVER_ALIAS, ScrapeJob

FACTS: Final = HOMESERVERS["synapse"]
REGISTRAR_USER: Final = 2021
METRICS_PORT: Final = 9000
"""Not the one that Nginx passes requests on to."""


@final
@dataclass(frozen=True, kw_only=True)
class SynapseArgs:
    """Inputs of :class:`Synapse`."""

    platform: Platform
    registration_token: pulumi.Output[str] | None
    """None: registration is closed."""
    registration_secret: pulumi.Output[str]
    macaroon_secret: pulumi.Output[str]
    form_secret: pulumi.Output[str]
    registrar_password: pulumi.Output[str]
    redis_address: str | None
    redis_password: pulumi.Output[str] | None
    turn_secret: pulumi.Output[str] | None


@final
class Synapse(pulumi.ComponentResource):
    """Synapse on SQLite, with Redis where there is one, and its registration token in its database."""

    container: docker.Container
    upstream: str
    """Address and port on the edge network."""
    metrics: ScrapeJob | None
    """Its own metrics, where the settings ask for them."""

    def __init__(self, name: str, args: SynapseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Synapse", name, {}, opts)
        platform = args.platform
        data = platform.volumes.homeservers["synapse"]
        address = str(platform.addresses.homeservers["synapse"])
        self.upstream = f"{address}:{FACTS.port}"
        inside = platform.settings.monitoring == "full"
        self.metrics = ScrapeJob(name="homeserver", address=f"{HOMESERVER_ALIAS}:{METRICS_PORT}") if inside else None
        child = pulumi.ResourceOptions(parent=self)
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=FACTS.user, files=_files(args), data_volumes=[data]),
            child,
        )
        networks = [NetworkAttachment(network=platform.networks.edge.name, address=address), *platform.inside]
        if args.redis_address is not None:
            networks.append(NetworkAttachment(network=platform.networks.backend.name))
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["synapse"],
                user=FACTS.user,
                budget=platform.homeserver_budget,
                processes=512,
                entrypoint=["sh"],
                command=[f"{CONFIG_MOUNT}/start.sh"],
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=data.name, target=DATA_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                environment=trust_environment(platform.settings),
                networks=networks,
                dns=platform.settings.dns_servers,
                health=http_probe(FACTS.port, "/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=180),
        )
        if args.registration_token is not None:
            self._register_token(name, args, args.registration_token)
        self.register_outputs({"container": self.container.name})

    def _register_token(self, name: str, args: SynapseArgs, token: pulumi.Output[str]) -> None:
        platform = args.platform
        seed = Seed(
            f"{name}-registrar",
            SeedArgs(
                host=platform.host,
                owner=REGISTRAR_USER,
                files={
                    "register_token.py": program("synapse", "register_token.py"),
                    "secrets/registration_shared_secret": args.registration_secret,
                    "secrets/registrar_password": args.registrar_password,
                    "secrets/registration_token": token,
                },
            ),
            pulumi.ResourceOptions(parent=self),
        )
        registrar = one_shot_container(
            f"{name}-registrar",
            platform.host,
            ContainerSpec(
                image=platform.images["synapse"],
                user=REGISTRAR_USER,
                budget=platform.tier.budgets["registrar"],
                processes=16,
                entrypoint=["python3"],
                command=[f"{CONFIG_MOUNT}/register_token.py"],
                environment={"HOMESERVER_URL": f"http://{self.upstream}"},
                mounts=[Mount(volume=seed.volume.name, target=CONFIG_MOUNT)],
                networks=[NetworkAttachment(network=platform.networks.edge.name)],
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[self.container]),
            # A new token is a new volume, and so a new run. It has to wait until the volume is filled.
            run=pulumi.Output.all(seed.digest, after(seed.one_shot, seconds=0)).apply(lambda known: str(known[0])),
        )
        after(registrar, seconds=0)


def _files(args: SynapseArgs) -> Mapping[str, pulumi.Input[str]]:
    settings = args.platform.settings
    config = SynapseConfig(
        server_name=settings.server_name,
        port=FACTS.port,
        client_url=settings.homeserver_url,
        federation=settings.federation,
        private_ranges=[str(each) for each in settings.federation_private_ranges],
        registration=settings.registration == "token",
        upload_limit=settings.upload_limit,
        cache_factor=args.platform.tier.synapse_cache_factor,
        redis_address=args.redis_address,
        turn_uris=settings.turn_uris,
        metrics_port=METRICS_PORT if settings.monitoring == "full" else 0,
    )
    files: dict[str, pulumi.Input[str]] = {
        **render_files(config),
        **trust_files(settings),
        "secrets/registration_shared_secret": args.registration_secret,
        "secrets/macaroon_secret_key": args.macaroon_secret,
        "secrets/form_secret": args.form_secret,
    }
    if args.redis_password is not None:
        files["secrets/redis_password"] = args.redis_password
    if args.turn_secret is not None:
        files["secrets/turn_secret"] = args.turn_secret
    return files
