"""What people do: register, log in, talk, wait for answers, share media."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time

from nio import AsyncClient, RoomMessageText, SyncError, SyncResponse

from tests.e2e.conftest import UPLOAD_LIMIT, Conversation, say
from tests.e2e.deployed import Deployed

MOST_NEWS = 5
"""Polls that may end early for news of what tests did before: Dendrite tells of a login some seconds later."""


def test_the_only_way_to_register_asks_for_the_token_or_there_is_none(homeserver: Deployed) -> None:
    answer = homeserver.matrix.register(None)
    assert answer.status_code == homeserver.expected.registration
    assert tuple(tuple(flow["stages"]) for flow in answer.json().get("flows", [])) == homeserver.expected.flows


def test_a_wrong_token_is_refused(homeserver: Deployed) -> None:
    answer = homeserver.matrix.register("not-the-registration-token")
    assert answer.status_code in homeserver.expected.wrong_token
    assert "access_token" not in answer.json()


def test_the_second_user_is_no_admin(homeserver: Deployed, conversation: Conversation) -> None:
    second = conversation.second
    answer = homeserver.matrix.ask("GET", "/_synapse/admin/v1/users", token=second.access_token)
    assert answer.status_code == 404, "administration is not reachable from outside"


def test_a_password_logs_in_and_a_wrong_one_does_not(homeserver: Deployed, conversation: Conversation) -> None:
    first = conversation.first
    assert homeserver.matrix.log_in(first)
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": first.user_id},
        "password": "wrong",
    }
    assert homeserver.matrix.ask("POST", "/_matrix/client/v3/login", json=body).status_code == 403


def test_a_new_room_has_the_expected_version(homeserver: Deployed, conversation: Conversation) -> None:
    state = homeserver.matrix.ask(
        "GET",
        f"/_matrix/client/v3/rooms/{conversation.room}/state/m.room.create",
        token=conversation.first.access_token,
    )
    assert state.status_code == 200, state.text
    assert state.json()["room_version"] == homeserver.expected.room_version


async def held_poll(
    client: AsyncClient, seconds: float, timeout_seconds: int
) -> asyncio.Task[SyncResponse | SyncError]:
    """Return a poll that has waited so long. One that ended before must have brought news."""
    for _ in range(MOST_NEWS):
        since = client.next_batch
        waiting = asyncio.create_task(client.sync(timeout=timeout_seconds * 1000))
        await asyncio.wait({waiting}, timeout=seconds)
        if not waiting.done():
            return waiting
        answer = await waiting
        assert isinstance(answer, SyncResponse), answer
        assert answer.next_batch != since, "the poll was not held"
    raise AssertionError("no poll was held")


def test_a_long_poll_brings_what_another_user_says(homeserver: Deployed, conversation: Conversation) -> None:
    first, second = conversation.first, conversation.second

    async def wait(client: AsyncClient) -> tuple[str, float]:
        await client.sync(timeout=0, full_state=True)
        waiting = await held_poll(client, 2, 25)
        asked = time.monotonic()
        await asyncio.to_thread(
            homeserver.matrix.with_client, second, lambda other: say(other, conversation.room, "are you there?")
        )
        # Other news may end a poll (Conduit: of the answer before); a client polls again.
        while True:
            answer = await waiting
            assert isinstance(answer, SyncResponse), answer
            joined = answer.rooms.join.get(conversation.room)
            for event in joined.timeline.events if joined else []:
                if isinstance(event, RoomMessageText):
                    return event.body, time.monotonic() - asked
            waiting = asyncio.create_task(client.sync(timeout=25_000))

    text, seconds = homeserver.matrix.with_client(first, wait)
    assert text == "are you there?"
    assert seconds < 20


def test_an_idle_long_poll_is_held_and_ends_by_itself(homeserver: Deployed, conversation: Conversation) -> None:
    async def wait(client: AsyncClient) -> None:
        await client.sync(timeout=0, full_state=True)
        # Conduit ends a poll after 30 s whatever the client asks for.
        waiting = await held_poll(client, 25, 35)
        assert isinstance(await waiting, SyncResponse)

    homeserver.matrix.with_client(conversation.first, wait)


def test_keys_for_encryption_can_be_uploaded(homeserver: Deployed, conversation: Conversation) -> None:
    first = conversation.first
    keys = {
        "device_keys": {
            "user_id": first.user_id,
            "device_id": first.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {f"curve25519:{first.device_id}": "x" * 43, f"ed25519:{first.device_id}": "y" * 43},
            "signatures": {first.user_id: {f"ed25519:{first.device_id}": "z" * 86}},
        }
    }
    answer = homeserver.matrix.ask("POST", "/_matrix/client/v3/keys/upload", token=first.access_token, json=keys)
    assert answer.status_code == 200, answer.text
    asked: dict[str, object] = {"device_keys": {first.user_id: []}}
    answer = homeserver.matrix.ask("POST", "/_matrix/client/v3/keys/query", token=first.access_token, json=asked)
    assert first.device_id in answer.json()["device_keys"][first.user_id]


def test_media_up_to_the_limit_comes_back_unchanged(homeserver: Deployed, conversation: Conversation) -> None:
    access = conversation.first.access_token
    content = os.urandom(UPLOAD_LIMIT - 1024)
    answer = homeserver.matrix.ask("POST", "/_matrix/media/v3/upload", token=access, data=content)
    assert answer.status_code == 200, answer.text
    media = answer.json()["content_uri"].removeprefix("mxc://")
    answer = homeserver.matrix.ask("GET", f"/_matrix/client/v1/media/download/{media}", token=access)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    assert homeserver.matrix.ask("GET", f"/_matrix/client/v1/media/download/{media}").status_code == 401


def test_media_beyond_the_limit_is_refused_in_matrix_terms(homeserver: Deployed, conversation: Conversation) -> None:
    access = conversation.first.access_token
    answer = homeserver.matrix.ask("POST", "/_matrix/media/v3/upload", token=access, data=bytes(UPLOAD_LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json()["errcode"] == "M_TOO_LARGE"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_homeserver_tells_the_configured_limit(homeserver: Deployed, conversation: Conversation) -> None:
    answer = homeserver.matrix.ask("GET", "/_matrix/client/v1/media/config", token=conversation.first.access_token)
    assert answer.json()["m.upload.size"] == UPLOAD_LIMIT


def test_turn_is_off(homeserver: Deployed, conversation: Conversation) -> None:
    answer = homeserver.matrix.ask("GET", "/_matrix/client/v3/voip/turnServer", token=conversation.first.access_token)
    assert answer.status_code in homeserver.expected.turn_without_server
    assert not answer.json().get("uris")
