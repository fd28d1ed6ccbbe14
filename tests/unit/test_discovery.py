"""The way from a server name to the homeserver behind it: each step of the specification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from unittest import mock

import pytest

from config.endpoints import FEDERATION_VERSION, SERVER_DOCUMENT
from ops import discovery
from ops.service import Answer

DOCUMENT = ("example.com", 443, SERVER_DOCUMENT)
VERSION = Answer(status=200, text='{"server": {"name": "Conduit"}}')


def says(m_server: object, status: int = 200) -> Answer:
    return Answer(status=status, text=json.dumps({"m.server": m_server}))


@pytest.mark.parametrize(
    ("document", "records", "expected"),
    [
        (says("chat.example.com:443"), {}, ("chat.example.com", "chat.example.com", 443)),
        (says("chat.example.com"), {}, ("chat.example.com", "chat.example.com", 8448)),
        (
            says("chat.example.com"),
            {"_matrix-fed._tcp.chat.example.com": ("host.example.com", 8449)},
            ("chat.example.com", "host.example.com", 8449),
        ),
        (
            says("chat.example.com:443", status=404),
            {"_matrix-fed._tcp.example.com": ("host.example.com", 8448)},
            ("example.com", "host.example.com", 8448),
        ),
        (
            Answer(status=0, text="refused"),
            {"_matrix._tcp.example.com": ("host.example.com", 8448)},
            ("example.com", "host.example.com", 8448),
        ),
        (says(7), {}, ("example.com", "example.com", 8448)),
        (Answer(status=200, text="<html>"), {}, ("example.com", "example.com", 8448)),
    ],
    ids=["port", "no port", "no port, then SRV", "no document", "deprecated SRV", "no text", "no JSON"],
)
def test_discovery_follows_the_specification(
    document: Answer, records: Mapping[str, tuple[str, int]], expected: tuple[str, str, int]
) -> None:
    asked: list[tuple[str, str, int, str]] = []

    def ask(_: object, name: str, host: str, port: int, path: str) -> Answer:
        asked.append((name, host, port, path))
        return document if (host, port, path) == DOCUMENT else VERSION

    with (
        mock.patch.object(discovery._Names, "ask", ask),
        mock.patch.object(discovery._Names, "service", lambda _, name: records.get(name)),
    ):
        way = discovery.discover("example.com", ["192.0.2.53"], None)
    assert (way.name, way.host, way.port) == expected
    assert asked[-1] == (*expected, FEDERATION_VERSION)
    assert way.works
