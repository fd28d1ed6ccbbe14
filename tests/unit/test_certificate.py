"""What people are told of the certificate."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import pytest
import trustme

from ops import certificate, up
from ops.certificate import own_verdict, read, verdict
from tests.samples import settings
from toolchain.steps import StepFailed

DIRECTORY = "https://ca.example.com/directory"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STATUS: dict[str, Any] = {
    "issued": True,
    "issuer": "CN=R11,O=Let's Encrypt,C=US",
    "serial": "3",
    "notAfter": "2027-02-10T00:00:00Z",
    "renewAt": "2027-01-20T00:00:00Z",
    "failures": 0,
    "lastError": "",
    "nextAttempt": "2027-01-20T00:00:00Z",
    "reissueRequested": False,
    "chain": "",
}


def test_a_certificate_of_the_ca_is_told_with_its_end() -> None:
    found = verdict(read(STATUS), NOW)
    assert found.works
    assert "R11" in found.seen
    assert "until 2027-02-10" in found.seen
    assert "renewal from 2027-01-20" in found.seen


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issued": False, "nextAttempt": None}, ["no certificate of the CA yet"]),
        (
            {"failures": 2, "lastError": "no such name", "nextAttempt": "2026-11-25T14:00:00Z"},
            ["2 attempts have failed", "2026-11-25 14:00 UTC", "no such name", "until 2027-02-10"],
        ),
        ({"lastError": "Nginx does not answer: EOF"}, ["Nginx does not answer: EOF", "until 2027-02-10"]),
        ({"notAfter": "2026-11-25T11:59:59Z"}, ["EXPIRED 2026-11-25"]),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], words: list[str]) -> None:
    found = verdict(read({**STATUS, **change}), NOW)
    assert not found.works
    assert all(word in found.seen for word in words)


def test_a_reissue_that_goes_on_is_said() -> None:
    assert "new key" in verdict(read({**STATUS, "reissueRequested": True}), NOW).seen


def test_a_certificate_of_the_stacks_own_ca_is_told_before_it_ends() -> None:
    assert own_verdict(NOW + timedelta(days=15), NOW, "local").works
    assert not own_verdict(NOW + timedelta(days=13), NOW, "local").works
    assert "EXPIRED" in own_verdict(NOW - timedelta(days=1), NOW, "local").seen


def test_what_the_client_says_is_read() -> None:
    with (
        mock.patch.object(certificate, "acme_container"),
        mock.patch.object(certificate, "run_client", return_value=json.dumps(STATUS)),
    ):
        found = certificate.renewal(mock.Mock(), "local", settings(certificates="acme-http", acmeDirectory=DIRECTORY))
    assert found == read(STATUS)


@pytest.mark.parametrize(("said", "told"), [("", "said nothing"), ("Killed\n", "said Killed")])
def test_a_client_that_says_something_else_is_an_error_in_a_sentence(said: str, told: str) -> None:
    with (
        mock.patch.object(certificate, "acme_container"),
        mock.patch.object(certificate, "run_client", return_value=said),
        pytest.raises(StepFailed, match=told),
    ):
        certificate.renewal(mock.Mock(), "local", settings(certificates="acme-http", acmeDirectory=DIRECTORY))


class Versions(BaseHTTPRequestHandler):
    """A homeserver, as far as `make up` asks it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"versions": ["v1.1"]}')

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_make_up_goes_on_when_the_ca_issues_while_it_waits() -> None:
    """Nobody trusts the CA, so what is served is trusted because the client says so: first it says the old one."""
    old, new = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    new.issue_cert("localhost").configure_cert(context)
    chains = [authority.cert_pem.bytes().decode() for authority in (old, new)]
    said = iter([read({**STATUS, "chain": chain}) for chain in chains])
    with ThreadingHTTPServer(("127.0.0.1", 0), Versions) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack = settings(certificates="acme-http", acmeDirectory=DIRECTORY, httpsPort=str(server.server_port))
        with (
            mock.patch.object(up, "renewal", side_effect=said),
            mock.patch.object(up, "_ROUND_SECONDS", 0),
        ):
            up._wait_until_it_serves(mock.Mock(docker_client=nullcontext), stack)
        server.shutdown()
    assert next(said, None) is None
