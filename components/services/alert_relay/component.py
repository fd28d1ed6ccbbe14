"""The relay: takes Alertmanager's notifications and brings them to the receivers, whose addresses it alone has."""

from __future__ import annotations

from collections.abc import Mapping
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
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.alert_relay.relay import PORT
from components.services.alert_relay.render import render_receivers
from components.templates import program
from components.trust import trust_environment, trust_files

USER: Final = 2320
ALIAS: Final = "alert-relay"


@final
@dataclass(frozen=True, kw_only=True)
class AlertRelayArgs:
    """Inputs of :class:`AlertRelay`."""

    platform: Platform
    secrets: Mapping[str, pulumi.Output[str]]
    """Those that the receivers need, by their keys in the stack's config."""


@final
class AlertRelay(pulumi.ComponentResource):
    """A small program of this project in Python's image."""

    container: docker.Container
    address: str
    """Host name and port on the monitoring network."""

    def __init__(self, name: str, args: AlertRelayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:AlertRelay", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        self.address = f"{ALIAS}:{PORT}"
        receivers = pulumi.Output.all(**args.secrets).apply(
            lambda secrets: render_receivers(settings.alerting, settings.server_name, secrets)
        )
        seed = Seed(
            name,
            SeedArgs(
                host=platform.host,
                owner=USER,
                files={
                    "relay.py": program("alert_relay", "relay.py"),
                    "secrets/receivers.json": pulumi.Output.secret(receivers),
                    **trust_files(settings),
                },
            ),
            child,
        )
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["python"],
                user=USER,
                budget=platform.tier.budgets["alert-relay"],
                processes=32,
                entrypoint=["python3"],
                command=[f"{CONFIG_MOUNT}/relay.py"],
                environment=trust_environment(settings),
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,)),
                    # The way out to the receivers.
                    NetworkAttachment(network=platform.networks.operators.name),
                ],
                dns=settings.dns_servers,
                health=http_probe(PORT, "/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=120),
        )
        self.register_outputs({"container": self.container.name})
