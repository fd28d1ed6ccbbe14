"""Whether the stack is well, for machines: what people need of it, looked at from beside them.

Nginx passes the answer on, as one word. It is computed here and kept in memory only; what nobody has looked at for a
while is unknown, and unknown is not well.

Runs in the canary's container, with nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib import error, request

LOOK_SECONDS: Final = 15
"""Between two looks at everything."""
STALE_SECONDS: Final = 60
"""What was seen longer ago is not known. Longer than a look at everything takes when nothing answers."""
ANSWER_SECONDS: Final = 5
CERTIFICATE_SECONDS: Final = 24 * 3600
"""A certificate that lives shorter has not been renewed: even one for six days is, two days before its end."""
FREE_SHARE: Final = 0.03
"""Of the data's disk. node-mixin calls less than that critical; people are told of DiskSpaceLow long before."""
WRITE_SECONDS: Final = 900
"""``config.scraping.WRITE_SECONDS``, which cannot be imported where this runs; a test holds them together."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was seen of one part. ``works`` None: nobody knows."""

    works: bool | None
    seen: str


def edge(address: str, host: str, ca_file: Path) -> Part:
    """Return whether Nginx speaks TLS with a certificate that clients accept and that does not end soon.

    Without a file nobody trusts the certificate: it is one of a CA for trials.

    Raises:
        OSError: it does not; ``ssl.SSLError`` among others.

    """
    name, _, port = address.rpartition(":")
    trusted = ca_file.exists()
    context = ssl.create_default_context(cafile=str(ca_file) if trusted else None)
    if not trusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((name, int(port)), timeout=ANSWER_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        certificate = connection.getpeercert() or {}
    if not trusted:
        return Part(works=True, seen="the certificate is one for trials, which nobody trusts")
    left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
    return Part(works=left >= CERTIFICATE_SECONDS, seen=f"the certificate ends in {left / 86400:.1f} days")


def homeserver(url: str) -> Part:
    """Return whether the homeserver answers.

    Raises:
        OSError, ValueError, HTTPException: it says something else.

    """
    try:
        with request.urlopen(f"{url}/_matrix/client/versions", timeout=ANSWER_SECONDS) as answer:  # noqa: S310 (internal)
            works = bool(json.load(answer).get("versions"))
    except error.URLError as failure:
        return Part(works=False, seen=f"no answer: {failure.reason}")
    return Part(works=works, seen="answers" if works else "answers something else")


def disk(folder: Path) -> Part:
    """Return whether the file system of a folder has room for more."""
    found = os.statvfs(folder)
    share = found.f_bavail / found.f_blocks
    return Part(works=share >= FREE_SHARE, seen=f"{share:.1%} free")


def writes(*, success: bool | None, age: float | None) -> Part:
    """Return whether people can write.

    Args:
        success: of the last attempt; None: there was none yet.
        age: seconds since the last one that succeeded; None: none did.

    """
    if success is None:
        return Part(works=None, seen="not tried yet")
    last = "none was read back yet" if age is None else f"the last was read back {age:.0f} s ago"
    if not success:
        return Part(works=False, seen=f"the last attempt failed; {last}")
    return Part(works=age is not None and age <= WRITE_SECONDS, seen=last)


class Health:
    """Looks at the parts again and again, and says what was seen."""

    def __init__(self, looks: Mapping[str, Callable[[], Part]], written: Callable[[], Part]) -> None:
        self._looks = looks
        self._written = written
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[Part, float]] = {}

    def look(self) -> None:
        """Look at every part once."""
        for name, look in self._looks.items():
            try:
                part = look()
            except (OSError, ValueError, HTTPException) as failure:
                part = Part(works=False, seen=str(failure) or type(failure).__name__)
            with self._lock:
                self._seen[name] = (part, time.monotonic())

    def keep_looking(self) -> None:
        """Look at every part again and again, in a thread of its own."""

        def run() -> None:
            while True:
                self.look()
                time.sleep(LOOK_SECONDS)

        threading.Thread(target=run, daemon=True).start()

    def parts(self) -> Mapping[str, Part]:
        """Return what is known of each part now."""
        now = time.monotonic()
        with self._lock:
            seen = dict(self._seen)
        found = {}
        for name in self._looks:
            part, at = seen.get(name, (Part(works=None, seen="not looked at yet"), now))
            stale = now - at > STALE_SECONDS
            found[name] = Part(works=None, seen=f"nobody has looked for {now - at:.0f} s") if stale else part
        return {**found, "writes": self._written()}

    def answer(self, *, whole: bool) -> tuple[HTTPStatus, str]:
        """Return status and body of the answer: 200 only when everything is known to work.

        Args:
            whole: with each part. That is for the inside: strangers learn one word.

        """
        parts = self.parts()
        works = {part.works for part in parts.values()}
        word = "failing" if False in works else "unknown" if None in works else "ok"
        body: dict[str, object] = {"status": word}
        if whole:
            body["parts"] = {name: {"works": part.works, "seen": part.seen} for name, part in parts.items()}
        return HTTPStatus.OK if word == "ok" else HTTPStatus.SERVICE_UNAVAILABLE, json.dumps(body) + "\n"
