"""The volumes that hold what must not be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import LABEL_STACK
from config.homeservers import HOMESERVERS, HomeserverName

LABEL_SERVER_NAME: Final = "matrix.server-name"


@final
@dataclass(frozen=True, kw_only=True)
class DataVolumesArgs:
    """Inputs of :class:`DataVolumes`."""

    stack: str
    prefix: str
    server_name: str
    protect: bool


@final
class DataVolumes(pulumi.ComponentResource):
    """The volumes that hold what must not be lost.

    Every homeserver has one, chosen or not: were the volume of the other one declared only with it, changing
    ``homeserver`` would ask to delete people's conversations.
    """

    homeservers: Mapping[HomeserverName, docker.Volume]
    redis: docker.Volume
    acme: docker.Volume
    """Key of the ACME account, and how renewal goes. Nginx does not see it."""
    certificates: docker.Volume
    """What the ACME client got for Nginx. Declared without one too: `certificates` can be changed back and forth."""

    def __init__(self, name: str, args: DataVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:DataVolumes", name, {}, opts)
        # A label cannot change in place: with another server name in it, preview refuses to replace what is protected.
        labels = {LABEL_STACK: args.stack, LABEL_SERVER_NAME: args.server_name}
        self.homeservers = MappingProxyType({each: self._volume(each, args, labels) for each in HOMESERVERS})
        self.redis = self._volume("redis", args, {LABEL_STACK: args.stack})
        self.acme = self._volume("acme", args, {LABEL_STACK: args.stack})
        self.certificates = self._volume("certificates", args, {LABEL_STACK: args.stack})
        self.register_outputs({each: volume.name for each, volume in self.homeservers.items()})

    def _volume(self, owner: str, args: DataVolumesArgs, labels: Mapping[str, str]) -> docker.Volume:
        return docker.Volume(
            f"{owner}-data",
            name=f"{args.prefix}-{owner}-data",
            labels=[docker.VolumeLabelArgs(label=label, value=value) for label, value in sorted(labels.items())],
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
