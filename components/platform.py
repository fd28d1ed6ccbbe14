"""What every service of a stack stands on: a Docker engine with images, networks, data volumes and the health probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import pulumi

from components.container import NetworkAttachment, ServiceHost
from components.data_volumes import DataVolumes, DataVolumesArgs
from components.docker_engine import DockerEngine, DockerEngineArgs, SshHost
from components.docker_location import DockerLocation
from components.images import Images, ImagesArgs
from components.networks import Networks, NetworksArgs
from components.probe import Probe, ProbeArgs
from config.addresses import AddressPlan, address_plan
from config.catalogue import project_root
from config.cloud import DOCKER_ROOT
from config.project import PROJECT
from config.scraping import HOMESERVER_ALIAS
from config.settings import Settings
from config.stack_images import images_of, registry_of
from config.tiers import TIERS, Budget, Tier


@final
class Platform:
    """The ground of one stack. Services take it as one argument, and declare themselves with ``options``."""

    settings: Settings
    tier: Tier
    addresses: AddressPlan
    host: ServiceHost
    images: Images
    networks: Networks
    volumes: DataVolumes
    probe: Probe
    homeserver_budget: Budget
    docker_root: str
    """Where the Docker engine keeps everything, on its machine."""
    inside: Sequence[NetworkAttachment]
    """Further networks of the homeserver."""
    ssh: SshHost | None
    """The machine of the Docker engine, where it is not this one."""
    options: pulumi.ResourceOptions
    """Makes a component's children use the Docker engine of this stack."""

    def __init__(self, settings: Settings, where: DockerLocation) -> None:
        prefix = f"{PROJECT}-{settings.stack}"
        self.settings = settings
        self.tier = TIERS[settings.tier]
        monitored = settings.monitoring != "off"
        self.homeserver_budget = self.tier.homeserver(monitored=monitored, calls=settings.calls.turn)
        self.docker_root = settings.docker_root or DOCKER_ROOT
        self.addresses = address_plan(settings.subnet)
        self.ssh = where.host if isinstance(where.host, SshHost) else None
        engine = DockerEngine("docker-engine", DockerEngineArgs(host=where.host, after=where.after))
        self.options = pulumi.ResourceOptions(providers=[engine.provider], transformations=[where.lives_there])
        self.images = Images(
            "images",
            ImagesArgs(
                source=settings.image_source,
                registries={name: registry_of(name, settings) for name in images_of(settings)},
                root=project_root(),
            ),
            self.options,
        )
        self.networks = Networks(
            "networks",
            NetworksArgs(stack=settings.stack, prefix=prefix, addresses=self.addresses, monitored=monitored),
            self.options,
        )
        self.volumes = DataVolumes(
            "data-volumes",
            DataVolumesArgs(
                stack=settings.stack,
                prefix=prefix,
                server_name=settings.server_name,
                protect=settings.delete_protection,
            ),
            self.options,
        )
        self.host = ServiceHost(
            prefix=prefix,
            stack=settings.stack,
            toolbox=self.images["toolbox"],
            one_shot=self.tier.budgets["one-shot"],
        )
        # What the monitoring asks of the homeserver from inside.
        self.inside = (
            [NetworkAttachment(network=self.networks.monitoring.name, aliases=(HOMESERVER_ALIAS,))]
            if settings.monitoring == "full"
            else []
        )
        self.probe = Probe("probe", ProbeArgs(host=self.host), self.options)
