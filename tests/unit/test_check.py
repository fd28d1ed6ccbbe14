"""How `make status` shows what it found: to people and to machines."""

from __future__ import annotations

import io
import json
import sys
from unittest import mock

import pytest

from ops import status
from ops.check import Check, as_json, as_text
from ops.stack import Stack
from tests.samples import settings
from toolchain.steps import StepFailed

WELL = Check(kind="container", what="containers", works=True, seen="9 of 9 healthy", remedy="make up")
ODD = Check(kind="federation", what="found by others", works=False, seen="nobody", remedy="dig", matters=False)
ILL = Check(kind="endpoint", what="client API", works=False, seen="answers 502 网关", remedy="docker logs x")


def test_a_line_each_and_what_to_do_below_it() -> None:
    assert as_text([WELL, ODD, ILL], colour=False).splitlines() == [
        "ok    containers       9 of 9 healthy",
        "WARN  found by others  nobody",
        "                       -> dig",
        "FAIL  client API       answers 502 网关",
        "                       -> docker logs x",
    ]


def test_colour_is_for_the_word_only_and_changes_no_width() -> None:
    plain, colourful = (as_text([WELL, ODD, ILL], colour=colour) for colour in (False, True))
    assert "\x1b" not in plain
    assert [line.partition("\x1b[0m")[2] for line in colourful.splitlines() if "\x1b" in line] == [
        line[4:] for line in plain.splitlines() if "->" not in line
    ]


def test_the_json_has_its_shape() -> None:
    assert json.loads(as_json("local", [WELL, ODD, ILL])) == {
        "version": 1,
        "stack": "local",
        "works": False,
        "checks": [
            {"kind": "container", "what": "containers", "state": "ok", "seen": "9 of 9 healthy", "remedy": ""},
            {"kind": "federation", "what": "found by others", "state": "warn", "seen": "nobody", "remedy": "dig"},
            {
                "kind": "endpoint",
                "what": "client API",
                "state": "fail",
                "seen": "answers 502 网关",
                "remedy": "docker logs x",
            },
        ],
    }
    assert json.loads(as_json("local", [WELL, ODD]))["works"] is True, "a warning is no failure"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, out: io.StringIO, *checks: Check, **environment: str) -> tuple[str, int]:
    """Run the command and return what it printed and its exit code."""

    def gather(_stack: Stack, _settings: object) -> list[Check]:
        print("Docker on 203.0.113.7 ... answers")
        return list(checks)

    for name in ("NO_COLOR", "TERM", "MATRIX_STATUS_JSON"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", out)
    with (
        mock.patch.object(status, "from_arguments", return_value=Stack("local")),
        mock.patch.object(status, "require", side_effect=lambda stack: stack),
        mock.patch.object(Stack, "settings"),
        mock.patch.object(status, "status", gather),
    ):
        try:
            status.main()
        except SystemExit as end:
            return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


@pytest.mark.parametrize(
    ("out", "environment", "colour"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
    ids=["terminal", "NO_COLOR empty", "NO_COLOR", "dumb", "piped"],
)
def test_colour_is_for_terminals_whose_owner_wants_it(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, environment: dict[str, str], *, colour: bool
) -> None:
    text, _ = shown(monkeypatch, out, WELL, **environment)
    assert ("\x1b" in text) is colour


@pytest.mark.parametrize("json_wanted", ["", "1"])
def test_both_end_with_the_same_exit_code_and_standard_output_has_the_status_only(
    monkeypatch: pytest.MonkeyPatch, json_wanted: str
) -> None:
    for checks, code in (((WELL, ODD), 0), ((WELL, ILL), 1)):
        text, ended = shown(monkeypatch, Terminal(), *checks, MATRIX_STATUS_JSON=json_wanted)
        assert ended == code
        assert "203.0.113.7" not in text
        if json_wanted:
            assert json.loads(text)["works"] is not code


def test_a_docker_engine_that_does_not_answer_is_one_line_and_the_rest_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failure = StepFailed(step="Docker", reason="nothing answers at x\nmore", remedy="look at adminCidrs")
    with (
        mock.patch.object(Stack, "docker_client", side_effect=failure),
        mock.patch.object(Stack, "outputs", return_value={}),
        mock.patch("ops.service.Edge.get", return_value=mock.Mock(status=200, json=lambda: {"status": "ok"})),
    ):
        first, *rest = status.status(Stack("local"), settings(monitoring="full", tier="2C4G"))
    assert (first.kind, first.state, first.seen) == ("docker", "fail", "nothing answers at x")
    assert first.remedy == "make up STACK=local"
    assert [check.what for check in rest] == [
        "client API",
        "federation API",
        "server discovery",
        "client discovery",
        "health",
    ]
    assert "adminCidrs" in capsys.readouterr().err
