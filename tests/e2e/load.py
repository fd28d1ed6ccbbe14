"""People who use a homeserver as fast as it answers them."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter
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
    failed: Counter[str] = field(default_factory=Counter)
    """By status code, or by what went wrong."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: str) -> None:
        """Count one request by its status code, or by what went wrong."""
        with self._lock:
            if outcome == "200":
                self.answered += 1
            else:
                self.failed[outcome] += 1


@contextmanager
def people(matrix: Matrix, accounts: list[Account], room: str) -> Iterator[Load]:
    """Let each account ask for news and read its room, one request after the other, and now and then say something."""
    load, stop = Load(), threading.Event()

    def use(account: Account) -> None:
        session = requests.Session()
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
                # Not on the session: a variable of the environment would win over it.
                answer = session.request(method, url, json=body, verify=matrix.ca, timeout=TIMEOUT_SECONDS)
            except requests.RequestException as error:
                load.count(type(error).__name__)
            else:
                load.count(str(answer.status_code))

    threads = [threading.Thread(target=use, args=[account]) for account in accounts]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()
