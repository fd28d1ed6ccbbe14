"""coturn: the TURN server that calls go through where people cannot reach each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    ContainerSpec,
    Mount,
    NetworkAttachment,
    PublishedPort,
    after,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.coturn.render import CoturnConfig, render_files

USER: Final = 2400


@final
@dataclass(frozen=True, kw_only=True)
class CoturnArgs:
    """Inputs of :class:`Coturn`."""

    platform: Platform
    secret: pulumi.Output[str]
    """Shared with the homeserver, which lets its users in with it."""


@final
class Coturn(pulumi.ComponentResource):
    """A TURN server for the users of the homeserver, that reaches no private address."""

    container: docker.Container

    def __init__(self, name: str, args: CoturnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Coturn", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        calls = settings.calls

        def config(secret: str) -> str:
            return render_files(
                CoturnConfig(
                    realm=settings.matrix_host,
                    port=calls.turn_port,
                    relay_ports=calls.turn_ports,
                    private_ranges=calls.turn_private_ranges,
                    secret=secret,
                )
            )["turnserver.conf"]

        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=USER, files={"turnserver.conf": args.secret.apply(config)}),
            child,
        )
        outside = platform.ssh.address if platform.ssh else (calls.turn_address or settings.bind_address)
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["coturn"],
                user=USER,
                budget=platform.tier.budgets["coturn"],
                processes=64,
                entrypoint=["turnserver"],
                command=["-c", f"{CONFIG_MOUNT}/turnserver.conf", pulumi.Output.concat("--external-ip=", outside)],
                # The published program carries it, and does not start where it cannot be had.
                capabilities=["CAP_NET_BIND_SERVICE"],
                mounts=[Mount(volume=seed.volume.name, target=CONFIG_MOUNT)],
                networks=[NetworkAttachment(network=platform.networks.edge.name)],
                # Inside as outside: a client is told the number that coturn knows.
                ports=[
                    PublishedPort(internal=calls.turn_port, external=calls.turn_port, address=settings.bind_address),
                    *(
                        PublishedPort(internal=port, external=port, address=settings.bind_address, protocol="udp")
                        for port in (calls.turn_port, *calls.turn_ports)
                    ),
                ],
                health=["CMD", "turnutils_stunclient", "-p", str(calls.turn_port), "127.0.0.1"],
            ),
            child,
            wait_timeout=after(seed.one_shot, seconds=60),
        )
        self.register_outputs({"container": self.container.name})
