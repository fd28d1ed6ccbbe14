"""The canary: whether people could write and read, known by doing it; and whether all is well, for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, final

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
from components.templates import program
from config.scraping import CANARY_PORT, ScrapeJob

USER: Final = 2390
ALIAS: Final = "canary"
PROGRAM: Final = ("canary.py", "health.py")
"""The files of a package of the name ``canary``."""
INTERVAL_SECONDS: Final = 300
"""A year of it is 105 000 events in a room that nobody reads: a tenth of a gigabyte or two with Synapse."""


@final
@dataclass(frozen=True, kw_only=True)
class CanaryArgs:
    """Inputs of :class:`Canary`."""

    platform: Platform
    homeserver: str
    """Host name and port on the monitoring network."""
    register_by: Literal["token", "shared-secret"]
    registration: pulumi.Output[str]
    """The token or the shared secret by which the account is made, once."""
    password: pulumi.Output[str]
    edge: str
    """Host name and port where clients are served, on the edge network."""
    ca_pem: pulumi.Output[str] | None
    """The CAs that the certificate there is held against; None: it is not."""


@final
class Canary(pulumi.ComponentResource):
    """One small program with an account of its own."""

    container: docker.Container
    job: ScrapeJob

    def __init__(self, name: str, args: CanaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Canary", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        data = platform.volumes.homeservers[settings.homeserver]
        files: dict[str, pulumi.Input[str]] = {
            **{f"canary/{file}": program("canary", file) for file in PROGRAM},
            **({"ca.pem": args.ca_pem} if args.ca_pem else {}),
            "secrets/password": args.password,
            "secrets/registration": args.registration,
        }
        seed = Seed(name, SeedArgs(host=platform.host, owner=USER, files=files), child)
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["python"],
                user=USER,
                budget=platform.tier.budgets["canary"],
                # A handful of its own; the limit counts those of all stacks of one machine.
                processes=64,
                entrypoint=["python3"],
                command=["-u", "-m", "canary.canary"],
                environment={
                    "PYTHONPATH": CONFIG_MOUNT,
                    "EDGE": args.edge,
                    "EDGE_HOST": settings.matrix_host,
                    "HOMESERVER_URL": f"http://{args.homeserver}",
                    "REGISTER_BY": args.register_by,
                    "INTERVAL_SECONDS": str(INTERVAL_SECONDS),
                },
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    # Its folder is the homeserver's alone: what is in it cannot be read here.
                    Mount(volume=data.name, target="/fs/data"),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,)),
                    # Where Nginx asks it, and is looked at.
                    NetworkAttachment(network=platform.networks.edge.name, address=str(platform.addresses.canary)),
                ],
                # Not /health: a part of the stack that is ill is no reason to call this one so.
                health=http_probe(CANARY_PORT, "/metrics"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="canary", address=f"{ALIAS}:{CANARY_PORT}")
        self.register_outputs({"container": self.container.name})
