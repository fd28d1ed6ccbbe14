"""`make invite`: which names are refused before anything is asked of the homeserver."""

from __future__ import annotations

import pytest

from ops import invite
from ops.stack import Stack
from tests.samples import settings
from toolchain.steps import StepFailed

STACK = Stack("other")


def named(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    monkeypatch.setenv(invite.NAME_VARIABLE, name)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    return invite._name(settings("other", homeserver="dendrite"), STACK)


@pytest.mark.parametrize("name", ["alice", "a", "al.ice-2", "0", "a_b", "a=b/c+d"])
def test_a_name_that_the_specification_allows_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert named(monkeypatch, name) == name


@pytest.mark.parametrize(
    "name", ["", "Alice", "_alice", "al ice", "älice", "alice\n", "@alice:localhost", "a;b", "$(id)", "a" * 245]
)
def test_another_name_gets_a_sentence_and_the_command_to_run(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(StepFailed) as raised:
        named(monkeypatch, name)
    assert len(raised.value.reason.split()) > 5
    assert "make invite STACK=other NAME=alice" in raised.value.remedy


def test_it_asks_where_there_is_somebody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(invite.NAME_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: "alice")
    assert invite._name(settings("other", homeserver="dendrite"), STACK) == "alice"


def test_a_token_is_shown_with_where_and_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    invite._show_token(settings(homeserver="synapse", httpsPort="8443"), "the-token-of-this-stack")
    shown = capsys.readouterr().out
    assert "https://localhost:8443" in shown
    assert "the-token-of-this-stack" in shown
    assert "Matrix client" in shown


def test_a_closed_registration_is_told_instead_of_a_token() -> None:
    with pytest.raises(StepFailed, match="registration is closed"):
        invite._show_token(settings(homeserver="synapse", registration="closed"), "the-token-of-this-stack")
