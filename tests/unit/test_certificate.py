"""What people are told of the certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.certificate import own_verdict, read, verdict

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
