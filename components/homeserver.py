"""The homeserver of a stack: one of three."""

from __future__ import annotations

import pulumi

from components.platform import Platform
from components.services.conduit import Conduit, ConduitArgs
from components.services.dendrite import Dendrite, DendriteArgs
from components.services.redis import Redis
from components.services.synapse import Synapse, SynapseArgs
from config.secret_keys import secret


def homeserver(
    platform: Platform, redis: Redis | None, registration_token: pulumi.Output[str] | None
) -> Conduit | Dendrite | Synapse:
    """Declare the homeserver that the settings name."""
    turn_secret = secret("turnSecret") if platform.settings.calls.turn else None
    if platform.settings.homeserver == "conduit":
        conduit = ConduitArgs(platform=platform, registration_token=registration_token, turn_secret=turn_secret)
        return Conduit("conduit", conduit, platform.options)
    if platform.settings.homeserver == "dendrite":
        registration = secret("dendriteRegistrationSecret")
        dendrite = DendriteArgs(platform=platform, registration_secret=registration, turn_secret=turn_secret)
        return Dendrite("dendrite", dendrite, platform.options)
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
            turn_secret=turn_secret,
        ),
        platform.options,
    )
