"""When the metadata service asks for a token: only once the host has read its setup from it."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest

from config.settings import parse
from ops.metadata_tokens import lower_for_a_new_host, raise_for_a_host_that_is_there
from ops.stack import INSTANCE_TYPE, Stack, State
from tests.samples import ALIYUN, LOCAL, SECRETS

URN = f"urn:pulumi:cloud::matrix::{INSTANCE_TYPE}::host"
HOST = State(resources=[{"type": INSTANCE_TYPE, "id": "i-1"}], pending=[])
NO_HOST = State(resources=[], pending=[])


@pytest.fixture
def previewed() -> list[str]:
    """What the preview says is done with the host."""
    return ["same"]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch, previewed: list[str]) -> dict[str, str]:
    """What the stack's file says; the stack writes into it."""
    texts = {**ALIYUN, **SECRETS}

    def ask(_stack: Stack, *arguments: str, **_: Any) -> str:  # noqa: ANN401
        if arguments == ("preview", "--json"):
            return json.dumps({"steps": [step(op) for op in previewed]})
        assert arguments[0] == "config"
        if arguments[1] == "rm":
            del texts[arguments[2]]
        else:
            texts[arguments[2]] = arguments[3]
        return ""

    monkeypatch.setattr(Stack, "ask", ask)
    monkeypatch.setattr(Stack, "config", lambda _stack: (dict(texts), set(SECRETS)))
    return texts


def step(op: str) -> dict[str, Any]:
    """Return what the preview says of the host."""
    return {"op": op, "urn": URN, "newState": {"custom": True}, "oldState": {"custom": True}}


def deploy(texts: dict[str, str], state: State, *replacing: str) -> tuple[str, bool]:
    """Return what a host is made with, or updated to, and whether another run follows."""
    stack = Stack("cloud")
    settings = lower_for_a_new_host(stack, state, parse("cloud", texts, set(SECRETS)), replacing)
    assert settings.cloud
    return settings.cloud.metadata_tokens, raise_for_a_host_that_is_there(stack, settings)


def test_a_host_is_made_without_and_raised_once_it_is_there(texts: dict[str, str]) -> None:
    assert deploy(texts, NO_HOST) == ("optional", True)
    assert texts["metadataTokens"] == "required"
    assert deploy(texts, HOST) == ("required", False)


def test_a_new_host_of_an_old_stack_begins_again(texts: dict[str, str]) -> None:
    texts["metadataTokens"] = "required"
    assert deploy(texts, NO_HOST) == ("optional", True)
    assert texts["metadataTokens"] == "required"


@pytest.mark.parametrize(("op", "first"), [("update", "required"), ("replace", "optional")])
def test_a_setting_that_replaces_the_host_begins_again(
    texts: dict[str, str], previewed: list[str], op: str, first: str
) -> None:
    texts["metadataTokens"] = "required"
    previewed[:] = [op]
    assert deploy(texts, HOST)[0] == first
    assert texts["metadataTokens"] == "required"


def test_a_host_that_is_replaced_on_demand_begins_again(texts: dict[str, str]) -> None:
    texts["metadataTokens"] = "required"
    assert deploy(texts, HOST, "--replace", URN) == ("optional", True)


def test_an_image_that_knows_tokens_is_asked_for_one_from_the_start(texts: dict[str, str]) -> None:
    texts |= {"metadataTokens": "required", "imageId": "m-bp1abcdefgh"}
    assert deploy(texts, NO_HOST) == ("required", False)


def test_what_a_person_chose_stays(texts: dict[str, str]) -> None:
    texts["metadataTokens"] = "optional"
    assert deploy(texts, NO_HOST) == ("optional", False)
    assert deploy(texts, HOST) == ("optional", False)


def test_a_local_stack_has_no_such_thing() -> None:
    settings = parse("local", {**LOCAL, **SECRETS}, set(SECRETS))
    with mock.patch.object(Stack, "ask", side_effect=AssertionError("asked")):
        assert lower_for_a_new_host(Stack("local"), NO_HOST, settings) is settings
        assert not raise_for_a_host_that_is_there(Stack("local"), settings)
