"""Writes an event into a room of its own, reads it back, and tells as metrics whether that worked.

A homeserver whose disk is full, or whose database is locked, still answers what it only has to read. Whether people can
talk is known by talking.

The account is made by the homeserver's own way in the first time: with the registration token, and without a session,
so that on Conduit the first person still becomes the admin; or with the shared secret, as no admin. The room is private
and does not federate. Nothing is kept but in memory: after a restart the room is found among those that were joined.

Runs in a container of its own, with nothing but the standard library. Reads ``HOMESERVER_URL``, ``REGISTER_BY`` (token
or shared-secret), ``INTERVAL_SECONDS``, ``EDGE`` and ``EDGE_HOST`` (where Nginx serves clients, and under which name)
from the environment and its secrets from files. Prints no secret. ``health.py`` is the other half: whether all is well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
import uuid
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib import error, parse, request

from .health import Health, Part, disk, edge, homeserver, writes

CA_FILE: Final = Path("/config/ca.pem")
SECRETS: Final = Path("/config/secrets")
DATA: Final = Path("/fs/data")
"""The homeserver's data, of which nothing can be read: only how full the disk is."""
USER: Final = "canary"
PORT: Final = 8082
ANSWER_SECONDS: Final = 20
IMPATIENT_SECONDS: Final = 30
"""Between two attempts while they fail. While they succeed it is more: each leaves an event in the database."""
_CLIENT: Final = "/_matrix/client/v3"


class Refused(Exception):  # noqa: N818 (what happened)
    """The homeserver refused a request. ``code`` is the Matrix error code."""

    def __init__(self, what: str, status: int, answer: dict[str, Any]) -> None:
        self.code = str(answer.get("errcode", ""))
        self.answer = answer
        super().__init__(f"{what}: the homeserver answered {status} {self.code}".strip())


def secret(name: str) -> str:
    """Return a secret from its file."""
    return (SECRETS / name).read_text(encoding="utf-8").strip()


class Canary:
    """One account with one room."""

    def __init__(self, homeserver: str, register_by: str) -> None:
        self._homeserver = homeserver
        self._register_by = register_by
        self._token = ""
        self._room = ""

    def sing(self) -> None:
        """Write an event and read it back.

        Raises:
            Refused: the homeserver refuses something, or gives back something else.
            OSError: it does not answer, or not in time.

        """
        if not self._token:
            self._token = self._log_in()
        try:
            self._write_and_read()
        except Refused as refused:
            if refused.code in {"M_UNKNOWN_TOKEN", "M_FORBIDDEN"}:
                self._token = self._room = ""  # another database, or a session that was ended: begin anew next time
            raise

    def _write_and_read(self) -> None:
        if not self._room:
            self._room = self._own_room()
        room, words = parse.quote(self._room, safe=""), uuid.uuid4().hex
        content = {"msgtype": "m.notice", "body": f"canary {words}"}
        sent = self._call("PUT", f"{_CLIENT}/rooms/{room}/send/m.room.message/{words}", content)
        event = parse.quote(sent["event_id"], safe="")
        found = self._call("GET", f"{_CLIENT}/rooms/{room}/event/{event}")
        if found.get("content", {}).get("body") != content["body"]:
            raise Refused("the event that was just written", 200, {"errcode": "(another event)"})

    def _own_room(self) -> str:
        joined = self._call("GET", f"{_CLIENT}/joined_rooms")["joined_rooms"]
        if joined:
            return str(min(joined))
        wanted = {"preset": "private_chat", "name": "canary", "creation_content": {"m.federate": False}}
        return str(self._call("POST", f"{_CLIENT}/createRoom", wanted)["room_id"])

    def _log_in(self) -> str:
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": USER},
            "password": secret("password"),
            "device_id": "CANARY",
            "initial_device_display_name": "canary",
        }
        try:
            return str(self._call("POST", f"{_CLIENT}/login", body)["access_token"])
        except Refused as refused:
            if refused.code not in {"M_FORBIDDEN", "M_UNKNOWN"}:
                raise
        if self._register_by == "token":
            self._register_by_token()
        else:
            self._register_by_shared_secret()
        return str(self._call("POST", f"{_CLIENT}/login", body)["access_token"])

    def _register_by_token(self) -> None:
        body: dict[str, Any] = {"username": USER, "password": secret("password"), "inhibit_login": True}
        try:
            self._call("POST", f"{_CLIENT}/register", body)
        except Refused as refused:
            session = refused.answer.get("session")
            if not session:
                raise
            auth = {"type": "m.login.registration_token", "token": secret("registration"), "session": session}
            self._call("POST", f"{_CLIENT}/register", {**body, "auth": auth})

    def _register_by_shared_secret(self) -> None:
        """Make the account. Source: Synapse's documentation, admin API, shared-secret registration; Dendrite has it."""
        path = "/_synapse/admin/v1/register"
        nonce = self._call("GET", path)["nonce"]
        password = secret("password")
        text = b"\0".join(part.encode() for part in (nonce, USER, password, "notadmin"))
        mac = hmac.new(secret("registration").encode(), text, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": USER, "password": password, "admin": False, "mac": mac}
        self._call("POST", path, body)

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        asked = request.Request(self._homeserver + path, data, headers, method=method)  # noqa: S310
        try:
            with request.urlopen(asked, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 (http on an internal network)
                return json.load(answer)
        except error.HTTPError as refusal:
            try:
                said = json.load(refusal)
            except ValueError:
                said = {}
            # The path of a room holds its id: of no use to who reads the log.
            raise Refused(f"{method} {path.partition('/rooms/')[0]}", refusal.code, said) from refusal


class Record:
    """How the last attempt went, and when the last one succeeded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[str, float] = {}

    def note(self, *, success: bool, seconds: float) -> None:
        """Take down an attempt."""
        with self._lock:
            self._metrics["matrix_canary_success"] = float(success)
            if success:
                self._metrics["matrix_canary_timestamp_seconds"] = time.time()
                self._metrics["matrix_canary_duration_seconds"] = seconds

    def writes(self) -> Part:
        """Return whether people can write, as far as is known."""
        with self._lock:
            success = self._metrics.get("matrix_canary_success")
            at = self._metrics.get("matrix_canary_timestamp_seconds")
        return writes(success=None if success is None else bool(success), age=None if at is None else time.time() - at)

    def render(self) -> str:
        """Return the metrics in Prometheus' text format."""
        with self._lock:
            return "".join(f"# TYPE {name} gauge\n{name} {value:.6f}\n" for name, value in self._metrics.items())


def serve(record: Record, health: Health, port: int = PORT) -> ThreadingHTTPServer:
    """Answer from a thread of its own: ``/metrics``, ``/health`` and, for strangers, ``/health/word``."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, kind, text = 404, "text/plain", ""
            if path == "/metrics":
                status, kind, text = 200, "text/plain; version=0.0.4", record.render()
            elif path in {"/health", "/health/word"}:
                kind = "application/json"
                status, text = health.answer(whole=path == "/health")
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: it is asked every few seconds."""

    server = ThreadingHTTPServer(("", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Sing again and again."""
    # The first process of a container has no default for this signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    url = os.environ["HOMESERVER_URL"]
    canary = Canary(url, os.environ["REGISTER_BY"])
    interval, record, before = float(os.environ["INTERVAL_SECONDS"]), Record(), ""
    looks = {
        "edge": partial(edge, os.environ["EDGE"], os.environ["EDGE_HOST"], CA_FILE),
        "homeserver": partial(homeserver, url),
        "disk": partial(disk, DATA),
    }
    health = Health(looks, record.writes)
    health.keep_looking()
    serve(record, health)
    while True:
        began, said = time.monotonic(), ""
        try:
            canary.sing()
        except (OSError, Refused, KeyError, ValueError) as failure:
            said = str(failure) or type(failure).__name__
        record.note(success=not said, seconds=time.monotonic() - began)
        if said != before:
            print(said or "An event was written and read back.", file=sys.stderr, flush=True)
        before = said
        time.sleep(min(interval, IMPATIENT_SECONDS) if said else interval)


if __name__ == "__main__":
    main()
