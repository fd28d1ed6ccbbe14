"""What each homeserver is expected to answer. Sources: the Matrix specification, and runs of these versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.homeservers import HomeserverName


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Where homeservers differ."""

    flows: tuple[tuple[str, ...], ...]
    """The stages of each way to register."""
    registration: int
    """Status of a registration that was only begun: 401 asks for more, 403 says that it is closed."""
    makes_accounts: bool
    """Whether `make invite` makes an account; else it shows what registration asks for."""
    next_step: str
    """What `make up` names for the first user."""
    replaced_by: tuple[str, str, str]
    """A key of the config that concerns the homeserver alone, another value, and one to set afterwards."""
    common_version: str
    """Of the client API: one that clients of today ask for."""
    newest_version: str
    room_version: str
    federation_name: str
    wrong_token: frozenset[int]
    turn_without_server: frozenset[int]
    """Status of ``/voip/turnServer`` where no TURN server is declared."""
    sliding_sync: int
    """Status of simplified sliding sync (MSC4186)."""
    uses_redis: bool


EXPECTED: Mapping[HomeserverName, Expected] = {
    "conduit": Expected(
        flows=(("m.login.registration_token",),),
        registration=401,
        makes_accounts=False,
        next_step="make token",
        replaced_by=("registration", "closed", "token"),
        common_version="v1.11",
        newest_version="v1.12",
        room_version="12",
        federation_name="Conduit",
        wrong_token=frozenset({401, 403}),
        turn_without_server=frozenset({200, 404}),
        sliding_sync=200,
        uses_redis=False,
    ),
    "synapse": Expected(
        flows=(("m.login.registration_token", "m.login.dummy"),),
        registration=401,
        makes_accounts=False,
        next_step="make token",
        replaced_by=("registration", "closed", "token"),
        common_version="v1.11",
        newest_version="v1.15",
        room_version="12",
        federation_name="Synapse",
        wrong_token=frozenset({401}),
        turn_without_server=frozenset({200, 404}),
        sliding_sync=200,
        uses_redis=True,
    ),
    "dendrite": Expected(
        flows=(),
        registration=403,
        makes_accounts=True,
        next_step="make invite",
        replaced_by=("dendriteRegistrationSecret", "Another-registration-secret", "A-third-registration-secret"),
        common_version="v1.1",
        newest_version="v1.2",
        room_version="10",
        federation_name="Dendrite",
        wrong_token=frozenset({403}),
        turn_without_server=frozenset({200}),
        sliding_sync=404,
        uses_redis=False,
    ),
}
