"""What `make status` says of the way other homeservers find a stack."""

from __future__ import annotations

from unittest import mock

import pytest

from ops import status
from ops.discovery import Way
from ops.service import Answer, Edge
from tests.samples import settings

EDGE = Edge(host="chat.example.com", address="127.0.0.1", ca_file=None)
THERE = {"serverName": "example.com", "matrixHost": "chat.example.com"}
ANSWERS = Answer(status=200, text='{"server": {"name": "Conduit"}}')


def way(port: int, answer: Answer) -> Way:
    return Way(by="a document", name="chat.example.com", host="chat.example.com", port=port, answer=answer)


@pytest.mark.parametrize(
    ("found", "word", "words"),
    [
        (way(443, ANSWERS), "ok", "example.com -> chat.example.com:443 (a document)"),
        (way(8448, ANSWERS), "warn", "and this stack is chat.example.com:443"),
        (way(443, Answer(status=0, text="connection refused")), "warn", "connection refused"),
    ],
    ids=["found", "somewhere else", "no answer"],
)
def test_the_way_is_told_with_where_it_ends(found: Way, word: str, words: str) -> None:
    with mock.patch.object(status, "discover", return_value=found):
        (check,) = status._federation(EDGE, settings(**THERE))
    assert check.state == word
    assert words in check.seen


def test_who_does_not_federate_or_has_a_name_of_this_machine_is_not_looked_for() -> None:
    with mock.patch.object(status, "discover", side_effect=AssertionError):
        assert status._federation(EDGE, settings(**THERE, federation="false")) == []
        assert status._federation(EDGE, settings()) == []
