"""The health probe: a static busybox in a volume that every service mounts read-only.

The published image of Conduit has no shell and no HTTP client, so a health check inside it needs one from outside; and
with one probe for all, a health check reads the same in every service and does not depend on what an image happens to
contain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import ServiceHost
from components.seed import Seed, SeedArgs

_ROOT: Final = 0


@final
@dataclass(frozen=True, kw_only=True)
class ProbeArgs:
    """Inputs of :class:`Probe`."""

    host: ServiceHost


@final
class Probe(pulumi.ComponentResource):
    """A volume that holds ``busybox``."""

    volume: pulumi.Output[str]
    """Name of the volume, to be mounted once ``one_shot`` has ended."""
    one_shot: docker.Container

    def __init__(self, name: str, args: ProbeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:Probe", name, {}, opts)
        seed = Seed(
            name,
            SeedArgs(host=args.host, owner=_ROOT, files={}, copies={"busybox": "/bin/busybox"}),
            pulumi.ResourceOptions(parent=self),
        )
        self.volume = seed.volume.name
        self.one_shot = seed.one_shot
        self.register_outputs({"volume": self.volume})
