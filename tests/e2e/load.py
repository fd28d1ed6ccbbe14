"""People who use a homeserver as fast as it answers them."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib import parse

import requests

from tests.e2e.matrix import Account, Matrix

MESSAGE_SECONDS = 6.0
"""Synapse takes a message of a user every five seconds, and up to ten at once."""
TIMEOUT_SECONDS = 30


@dataclass
class Load:
    """What people did, and how much of it failed."""

    answered: int = 0
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, *, answered: bool) -> None:
        """Count one request."""
        with self._lock:
            self.answered += answered
            self.failed += not answered


@contextmanager
def people(matrix: Matrix, accounts: list[Account], room: str) -> Iterator[Load]:
    """Let each account ask for news and read its room, one request after the other, and now and then say something."""
    load, stop = Load(), threading.Event()

    def use(account: Account) -> None:
        session = requests.Session()
        session.verify = matrix.ca
        session.headers["Authorization"] = f"Bearer {account.access_token}"
        rooms = f"{matrix.url}/_matrix/client/v3/rooms/{parse.quote(room)}"
        reads = itertools.cycle(
            (
                f"{matrix.url}/_matrix/client/v3/account/whoami",
                f"{matrix.url}/_matrix/client/v3/sync?timeout=0",
                f"{rooms}/messages?dir=b&limit=20",
            )
        )
        said = 0.0
        while not stop.is_set():
            method, url, body = "GET", next(reads), None
            if time.monotonic() - said > MESSAGE_SECONDS:
                said = time.monotonic()
                method, url = "PUT", f"{rooms}/send/m.room.message/{uuid.uuid4().hex}"
                body = {"msgtype": "m.text", "body": "hello"}
            try:
                status = session.request(method, url, json=body, timeout=TIMEOUT_SECONDS).status_code
            except requests.RequestException:
                status = 0
            load.count(answered=status == 200)

    threads = [threading.Thread(target=use, args=[account]) for account in accounts]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()
