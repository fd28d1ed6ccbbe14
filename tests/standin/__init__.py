"""A stand-in for Conduit's image, under a name that no stack of a user has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import docker

from config.catalogue import registry_reference
from tests.services.images import built

PREFIX: Final = "stand-in.invalid"
"""Setting ``registryPrefix`` under which the program finds it. Under the real name, `make up` would choose it."""


def provide(client: docker.DockerClient) -> str:
    """Build the stand-in and return its reference."""
    reference = registry_reference("conduit", PREFIX)
    client.images.build(
        path=str(Path(__file__).parent), tag=reference, buildargs={"TOOLBOX": built(client, "toolbox")}, rm=True
    )
    return reference
