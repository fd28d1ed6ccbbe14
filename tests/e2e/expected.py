"""What each homeserver is expected to answer. Sources: the Matrix specification, and runs of these versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.homeservers import HomeserverName


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Where homeservers differ."""

    stages: tuple[str, ...]
    """Of the one registration flow."""
    newest_version: str
    room_version: str
    federation_name: str
    wrong_token: frozenset[int]
    turn_without_server: frozenset[int]
    """Status of ``/voip/turnServer`` where no TURN server is declared."""
    uses_redis: bool


EXPECTED: Mapping[HomeserverName, Expected] = {
    "conduit": Expected(
        stages=("m.login.registration_token",),
        newest_version="v1.12",
        room_version="12",
        federation_name="Conduit",
        wrong_token=frozenset({401, 403}),
        turn_without_server=frozenset({200, 404}),
        uses_redis=False,
    ),
    "synapse": Expected(
        stages=("m.login.registration_token", "m.login.dummy"),
        newest_version="v1.15",
        room_version="12",
        federation_name="Synapse",
        wrong_token=frozenset({401}),
        turn_without_server=frozenset({200, 404}),
        uses_redis=True,
    ),
}
