"""What `/health` says: each part, and what nobody has looked at for too long."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from urllib import error, request

import pytest
import trustme

from components.services.canary import canary as program
from components.services.canary import health
from components.services.canary.canary import Record
from components.services.canary.health import WRITE_SECONDS, Health, Part
from config import scraping

WELL = Part(works=True, seen="well")
ILL = Part(works=False, seen="10.0.0.7 refuses")
UNKNOWN = Part(works=None, seen="who knows")


def made(edge: Part = WELL, disk: Part = WELL, writes: Part = WELL) -> Health:
    """Make a health that has looked once."""
    found = Health({"edge": lambda: edge, "disk": lambda: disk}, lambda: writes)
    found.look()
    return found


def test_a_write_counts_as_long_as_for_the_alert() -> None:
    assert scraping.WRITE_SECONDS == WRITE_SECONDS


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({}, "ok"),
        ({"edge": ILL}, "failing"),
        ({"disk": ILL}, "failing"),
        ({"writes": ILL}, "failing"),
        ({"writes": UNKNOWN}, "unknown"),
        ({"edge": ILL, "writes": UNKNOWN}, "failing"),
    ],
    ids=["well", "edge", "disk", "writes", "unknown", "failing and unknown"],
)
def test_only_what_is_known_to_work_is_well(parts: dict[str, Part], word: str) -> None:
    seen = made(**parts)
    status, text = seen.answer(whole=True)
    assert status == (HTTPStatus.OK if word == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)
    body = json.loads(text)
    assert body["status"] == word
    assert set(body["parts"]) == {"edge", "disk", "writes"}
    # Strangers learn the word, and not which part it is.
    assert seen.answer(whole=False) == (status, json.dumps({"status": word}) + "\n")


def test_before_the_first_look_nothing_is_known() -> None:
    status, text = Health({"edge": lambda: WELL}, lambda: WELL).answer(whole=True)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(text)["parts"]["edge"]["works"] is None


def test_what_was_seen_too_long_ago_is_not_known_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, now = made(), time.monotonic()
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now + health.STALE_SECONDS + 1))
    status, text = seen.answer(whole=True)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    body = json.loads(text)
    assert body["status"] == "unknown"
    assert body["parts"]["edge"]["seen"].startswith("nobody has looked for 6")
    assert body["parts"]["writes"] == {"works": True, "seen": "well"}, "it is as old as the question"


def test_a_look_that_fails_is_a_part_that_does_not_work() -> None:
    def fails() -> Part:
        raise ConnectionRefusedError("connection refused")

    found = Health({"edge": fails, "disk": lambda: WELL}, lambda: WELL)
    found.look()
    assert found.parts()["edge"] == Part(works=False, seen="connection refused")
    assert found.parts()["disk"] == WELL


def test_writes_are_told_with_their_age(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record()
    assert record.writes().works is None
    record.note(success=False, seconds=1)
    assert record.writes() == Part(works=False, seen="the last attempt failed; none was read back yet")
    record.note(success=True, seconds=1)
    assert record.writes().works is True
    now = time.time()
    monkeypatch.setattr(program, "time", SimpleNamespace(time=lambda: now + WRITE_SECONDS + 60))
    assert record.writes() == Part(works=False, seen="the last was read back 960 s ago")
    record.note(success=False, seconds=1)
    assert record.writes().seen.startswith("the last attempt failed; the last was read back 960 s ago")


@pytest.mark.parametrize(("free", "works"), [(2, False), (3, True)])
def test_a_disk_with_hardly_any_room_is_no_disk_to_write_to(
    monkeypatch: pytest.MonkeyPatch, free: int, *, works: bool
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_blocks=100))
    assert health.disk(Path("/fs/data")) == Part(works=works, seen=f"{free}.0% free")


@contextmanager
def edge(ca: trustme.CA, life: timedelta) -> Iterator[str]:
    """Serve TLS for ``localhost`` with a certificate that ends after so long."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", not_after=datetime.now(UTC) + life).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                plain, _ = listener.accept()
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                pass  # who asked did not accept the certificate

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.mark.parametrize(("hours", "works"), [(23, False), (25, True)])
def test_a_certificate_that_ends_within_a_day_was_not_renewed(
    ca: trustme.CA, ca_file: Path, hours: int, *, works: bool
) -> None:
    with edge(ca, timedelta(hours=hours)) as address:
        assert health.edge(address, "localhost", ca_file).works is works


def test_a_certificate_that_clients_do_not_accept_is_no_edge(ca: trustme.CA, ca_file: Path) -> None:
    with edge(ca, timedelta(days=30)) as address, pytest.raises(ssl.SSLCertVerificationError):
        health.edge(address, "another.example.com", ca_file)
    with edge(trustme.CA(), timedelta(days=30)) as address, pytest.raises(ssl.SSLCertVerificationError):
        health.edge(address, "localhost", ca_file)


def test_a_certificate_for_trials_which_nobody_trusts_is_an_edge(tmp_path: Path) -> None:
    with edge(trustme.CA(), timedelta(days=30)) as address:
        assert health.edge(address, "localhost", tmp_path / "ca.pem").works


def test_it_is_told_over_http_in_two_lengths() -> None:
    server = program.serve(Record(), made(disk=ILL), port=0)
    try:
        for path, tells in (("/health", True), ("/health/word?part=disk", False)):
            with pytest.raises(error.HTTPError) as answer:
                request.urlopen(f"http://127.0.0.1:{server.server_port}{path}")
            assert answer.value.code == 503
            text = answer.value.read().decode()
            assert json.loads(text)["status"] == "failing"
            assert ("10.0.0.7" in text) is tells
    finally:
        server.shutdown()
        server.server_close()
