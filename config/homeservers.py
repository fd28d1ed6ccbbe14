"""The homeservers that can be chosen, and what differs between them for everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

from config.catalogue import ImageName

HomeserverName = Literal["conduit", "synapse", "dendrite"]


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
    """Conduit and Dendrite have no code that talks to Redis (their sources at v0.10.12 and v0.15.2: no occurrence)."""
    canary_by: Literal["token", "shared-secret"]
    """How the account that the monitoring writes with is made."""
    canary_secret: str
    """The secret of the stack's config that this takes."""
    registers_by_token: bool
    """Whether people can make their own account with the registration token.

    Dendrite 0.15.2 keeps tokens (its admin API does) and asks nobody for one: its only stages of registration are a
    dummy and a captcha (``Derive`` in its setup/config/config.go). With it registration is closed whatever the settings
    say, and accounts are made by `make invite`.
    """


HOMESERVERS: Final[Mapping[HomeserverName, HomeserverFacts]] = MappingProxyType(
    {
        "conduit": HomeserverFacts(
            image="conduit",
            display_name="Conduit",
            port=6167,
            user=2010,
            uses_redis=False,
            canary_by="token",
            canary_secret="registrationToken",  # noqa: S106 (its name)
            registers_by_token=True,
        ),
        "synapse": HomeserverFacts(
            image="synapse",
            display_name="Synapse",
            port=8008,
            user=2020,
            uses_redis=True,
            canary_by="shared-secret",
            canary_secret="synapseRegistrationSecret",  # noqa: S106 (its name)
            registers_by_token=True,
        ),
        "dendrite": HomeserverFacts(
            image="dendrite",
            display_name="Dendrite",
            port=8008,
            user=2030,
            uses_redis=False,
            canary_by="shared-secret",
            canary_secret="dendriteRegistrationSecret",  # noqa: S106 (its name)
            registers_by_token=False,
        ),
    },
)
