"""The homeserver of a stack: one of three."""

from __future__ import annotations

import pulumi

from components.platform import Platform
from components.services.conduit import Conduit, ConduitArgs
from components.services.dendrite import Dendrite, DendriteArgs
from components.services.redis import Redis
from components.services.synapse import Synapse, SynapseArgs
from config.settings import secret


def homeserver(
    platform: Platform, redis: Redis | None, registration_token: pulumi.Output[str] | None
) -> Conduit | Dendrite | Synapse:
    """Declare the homeserver that the settings name."""
    if platform.settings.homeserver == "conduit":
        args = ConduitArgs(platform=platform, registration_token=registration_token)
        return Conduit("conduit", args, platform.options)
    if platform.settings.homeserver == "dendrite":
        registration = secret("dendriteRegistrationSecret")
        return Dendrite("dendrite", DendriteArgs(platform=platform, registration_secret=registration), platform.options)
    return Synapse(
        "synapse",
        SynapseArgs(
            platform=platform,
            registration_token=registration_token,
            registration_secret=secret("synapseRegistrationSecret"),
            macaroon_secret=secret("synapseMacaroonSecret"),
            form_secret=secret("synapseFormSecret"),
            registrar_password=secret("synapseRegistrarPassword"),
            redis_address=redis.address if redis else None,
            redis_password=secret("redisPassword") if redis else None,
        ),
        platform.options,
    )
