"""A receiver of alerts in this process: it checks signatures, and keeps what comes and when."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "Made-up-webhook-0123456789"  # noqa: S105 (of tests)
HOOK, BEAT = "/hook", "/beat"


@dataclass(frozen=True, kw_only=True)
class Message:
    """What was said of one alert."""

    at: float
    name: str
    labels: Mapping[str, str]
    firing: bool

    def __str__(self) -> str:
        said = "fires" if self.firing else "is resolved"
        return f"{datetime.fromtimestamp(self.at, UTC):%H:%M:%S} {self.name} {said}: {dict(self.labels)}"


@dataclass
class Inbox:
    """What the webhook and the dead-man's switch were told. While ``misses_beats`` is set, the latter answers 503."""

    port: int
    messages: list[Message] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    forged: int = 0
    """Messages whose signature is not that of the stack's secret."""
    misses_beats: bool = False

    def secrets(self, address: str) -> Mapping[str, str]:
        """Return the settings that lead a stack here, by an address of this machine that its containers reach."""
        url = f"http://{address}:{self.port}"
        return {"webhookAddress": url + HOOK, "webhookSecret": SECRET, "heartbeatAddress": url + BEAT}

    def take(self, content: bytes, signature: str) -> bool:
        """Keep a message whose signature is right, as docs.github.com has it, and return whether it was."""
        at, expected = time.time(), "sha256=" + hmac.digest(SECRET.encode(), content, "sha256").hex()
        if not hmac.compare_digest(signature, expected):
            self.forged += 1
            return False
        self.messages += [
            Message(at=at, name=labels["alertname"], labels=labels, firing=alert["status"] == "firing")
            for alert in json.loads(content)["alerts"]
            for labels in [alert["labels"]]
        ]
        return True

    def beat(self) -> bool:
        """Take down a beat and return whether it was taken."""
        if not self.misses_beats:
            self.beats.append(time.time())
        return not self.misses_beats


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Listen while the block runs."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200 if self.path == BEAT and inbox.beat() else 503)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            signature = self.headers["X-Hub-Signature-256"] or ""
            self.answer(204 if self.path == HOOK and inbox.take(content, signature) else 401)

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Answer)
    inbox = Inbox(port=server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
