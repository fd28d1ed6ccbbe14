"""The canary against a homeserver of a few lines: how it gets its account, and what it takes for success.

The real homeservers are asked by the canary of a deployed stack.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from components.services.canary import canary as program
from components.services.canary.canary import Canary, Record, Refused

PASSWORD, REGISTRATION = "Made-up-password-0123456789", "Made-up-registration-0123456789"


class Homeserver:
    """Answers as the Matrix specification has it, as far as the canary asks."""

    def __init__(self) -> None:
        self.registered: dict[str, Any] | None = None
        self.sessions = 0
        self.rooms: list[str] = []
        self.room: dict[str, Any] = {}
        self.events: dict[str, Any] = {}
        self.token = ""
        self.writes = True
        self.garbles = False

    def answer(self, method: str, path: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        path = path.removeprefix("/_matrix/client/v3")
        if path == "/login":
            if self.registered is None or body["password"] != PASSWORD:
                return 403, {"errcode": "M_FORBIDDEN"}
            self.sessions += 1
            self.token = f"session-{self.sessions}"
            return 200, {"access_token": self.token}
        if path == "/register":
            return self._register(body)
        if path == "/_synapse/admin/v1/register":
            return self._register_by_shared_secret(method, body)
        if token != self.token:
            return 401, {"errcode": "M_UNKNOWN_TOKEN"}
        return self._room(method, path, body)

    def _register(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        auth = body.get("auth")
        if not auth:
            return 401, {"session": "x", "flows": [{"stages": ["m.login.registration_token"]}]}
        if auth != {"type": "m.login.registration_token", "token": REGISTRATION, "session": "x"}:
            return 401, {"errcode": "M_FORBIDDEN"}
        self.registered = body
        return 200, {"user_id": "@canary:localhost"}

    def _register_by_shared_secret(self, method: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "GET":
            return 200, {"nonce": "n"}
        text = f"n\0{body['username']}\0{body['password']}\0notadmin".encode()
        if body["mac"] != hmac.new(REGISTRATION.encode(), text, hashlib.sha1).hexdigest():
            return 403, {"errcode": "M_UNKNOWN"}
        self.registered = body
        return 200, {"access_token": "of-another-device"}

    def _room(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/joined_rooms":
            return 200, {"joined_rooms": self.rooms}
        if path == "/createRoom":
            self.room = body
            self.rooms = ["!room:localhost"]
            return 200, {"room_id": "!room:localhost"}
        assert path.startswith("/rooms/!room:localhost/")
        if method == "PUT":
            if not self.writes:
                return 500, {"errcode": "M_UNKNOWN"}
            self.events["$event/1"] = {**body, "body": "another"} if self.garbles else body
            return 200, {"event_id": "$event/1"}
        return 200, {"content": self.events[path.partition("/event/")[2]]}


@pytest.fixture
def homeserver() -> Homeserver:
    return Homeserver()


@pytest.fixture
def address(homeserver: Homeserver) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, answer = homeserver.answer(self.command, unquote(self.path), body, token)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 (the names that the server looks for)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "registration").write_text(REGISTRATION)
    monkeypatch.setattr(program, "SECRETS", tmp_path)


@pytest.mark.parametrize("register_by", ["token", "shared-secret"])
def test_it_makes_its_account_once_and_its_room_once(homeserver: Homeserver, address: str, register_by: str) -> None:
    Canary(address, register_by).sing()
    assert homeserver.registered is not None
    first = homeserver.registered
    Canary(address, register_by).sing()  # as after a restart
    assert homeserver.registered is first
    assert homeserver.rooms == ["!room:localhost"]


def test_it_is_no_admin_and_takes_that_from_nobody(homeserver: Homeserver, address: str) -> None:
    Canary(address, "shared-secret").sing()
    assert homeserver.registered is not None
    assert homeserver.registered["admin"] is False


def test_by_token_it_registers_without_a_session(homeserver: Homeserver, address: str) -> None:
    # On Conduit, whoever first has a session of a new account becomes the admin.
    Canary(address, "token").sing()
    assert homeserver.registered is not None
    assert homeserver.registered["inhibit_login"] is True


def test_its_room_stays_at_home(homeserver: Homeserver, address: str) -> None:
    Canary(address, "token").sing()
    assert homeserver.room["creation_content"] == {"m.federate": False}
    assert homeserver.room["preset"] == "private_chat"


def test_a_homeserver_that_reads_and_does_not_write_is_no_success(homeserver: Homeserver, address: str) -> None:
    canary = Canary(address, "token")
    canary.sing()
    homeserver.writes = False
    with pytest.raises(Refused, match="500 M_UNKNOWN"):
        canary.sing()
    homeserver.writes = True
    canary.sing()


def test_what_comes_back_has_to_be_what_was_written(homeserver: Homeserver, address: str) -> None:
    homeserver.garbles = True
    with pytest.raises(Refused):
        Canary(address, "token").sing()


def test_a_session_that_was_ended_is_begun_anew(homeserver: Homeserver, address: str) -> None:
    canary = Canary(address, "token")
    canary.sing()
    homeserver.token = "somebody else's"  # noqa: S105
    with pytest.raises(Refused, match="M_UNKNOWN_TOKEN"):
        canary.sing()
    canary.sing()
    assert homeserver.sessions == 2


def test_what_it_says_of_a_failure_holds_no_secret_and_no_room(homeserver: Homeserver, address: str) -> None:
    homeserver.writes = False
    with pytest.raises(Refused) as raised:
        Canary(address, "token").sing()
    for word in (PASSWORD, REGISTRATION, "session-1", "!room"):
        assert word not in str(raised.value)


def test_the_metrics_keep_the_time_of_the_last_success() -> None:
    record = Record()
    assert record.render() == ""
    record.note(success=True, seconds=0.25)
    first = record.render()
    assert "matrix_canary_success 1.0" in first
    assert "matrix_canary_duration_seconds 0.250000" in first
    record.note(success=False, seconds=20)
    second = record.render()
    assert "matrix_canary_success 0.0" in second
    (before,) = [line for line in first.splitlines() if line.startswith("matrix_canary_timestamp_seconds")]
    assert before in second


def test_before_the_first_success_there_is_no_time_of_it() -> None:
    record = Record()
    record.note(success=False, seconds=1)
    assert "timestamp" not in record.render()
