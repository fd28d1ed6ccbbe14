"""A deployed stack from its users' side: what is asked over TLS, with the certificate verified."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, final

_PATIENCE_SECONDS = 5


@final
@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. ``status`` 0: nothing did, and ``text`` says why."""

    status: int
    text: str

    def json(self) -> Mapping[str, Any]:
        """Return the body as a JSON object; empty where it is none."""
        try:
            body = json.loads(self.text)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


@final
@dataclass(frozen=True, kw_only=True)
class Edge:
    """Where a stack answers: the name it goes by, and the address and CA to reach and to trust it by.

    The address is separate from the name, so that this works on a machine whose resolver does not know the name.
    """

    host: str
    address: str
    ca_file: Path | None
    trusted: str = ""
    """PEM of what is trusted besides."""

    def get(self, port: int, path: str) -> Answer:
        """Ask for a path over TLS."""
        context = self._context()
        connection = HTTPSConnection(self.host, port, timeout=_PATIENCE_SECONDS, context=context)
        try:
            plain = socket.create_connection((self.address, port), timeout=_PATIENCE_SECONDS)
            connection.sock = context.wrap_socket(plain, server_hostname=self.host)
            connection.request("GET", path, headers={"Host": f"{self.host}:{port}"})
            response = connection.getresponse()
            return Answer(status=response.status, text=response.read().decode(errors="replace"))
        except (OSError, HTTPException) as error:
            return Answer(status=0, text=str(error))
        finally:
            connection.close()

    def certificate_end(self, port: int) -> datetime | None:
        """Return when the certificate ends; None where no handshake succeeds, expired ones among them."""
        try:
            with (
                socket.create_connection((self.address, port), timeout=_PATIENCE_SECONDS) as plain,
                self._context().wrap_socket(plain, server_hostname=self.host) as connection,
            ):
                shown = connection.getpeercert() or {}
                return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
        except OSError:
            return None

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.trusted:
            context.load_verify_locations(cadata=self.trusted)
            # Whatever is in there is trusted, with or without the root that signed it.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    def wait(self, port: int, path: str, seconds: float) -> Answer:
        """Ask until the answer is 200 or the time is over; return the last one."""
        deadline = time.monotonic() + seconds
        while (answer := self.get(port, path)).status != 200 and time.monotonic() < deadline:  # noqa: PLR2004
            time.sleep(0.5)
        return answer
