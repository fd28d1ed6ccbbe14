"""The homeservers that can be chosen, and what differs between them for everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

from config.catalogue import ImageName

HomeserverName = Literal["conduit", "synapse"]


@final
@dataclass(frozen=True, kw_only=True)
class HomeserverFacts:
    """What other parts need to know of a homeserver."""

    image: ImageName
    display_name: str
    port: int
    """Where it listens, plain HTTP, on the edge network."""
    user: int
    """Numeric user of its container; every service has its own, since process limits count per user."""
    uses_redis: bool
    """Conduit has no code that talks to Redis (reference: its source at v0.10.12 has no occurrence)."""


HOMESERVERS: Final[Mapping[HomeserverName, HomeserverFacts]] = MappingProxyType(
    {
        "conduit": HomeserverFacts(image="conduit", display_name="Conduit", port=6167, user=2010, uses_redis=False),
        "synapse": HomeserverFacts(image="synapse", display_name="Synapse", port=8008, user=2020, uses_redis=True),
    },
)
