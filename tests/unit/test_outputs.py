"""The outputs are a contract: their names, their shapes, and the schema that other teams read."""

from __future__ import annotations

import json
from typing import get_type_hints

import jsonschema
import pytest

from config.outputs import Outputs, next_steps, plain_outputs
from tests.contract.test_aliyun import STACKS as CLOUD_STACKS
from tests.contract.test_program import STACKS
from tests.recording import ROOT, is_sealed, record, unseal
from tests.samples import ALIYUN, LOCAL, SECRETS, cloud_settings, settings

SCHEMA = json.loads((ROOT / "docs" / "outputs.schema.json").read_text(encoding="utf-8"))
SEALED = {"registrationToken", "grafanaAdminPassword"}


def test_the_schema_names_exactly_the_outputs() -> None:
    assert set(SCHEMA["properties"]) == set(get_type_hints(Outputs)) == set(SCHEMA["required"])


ALL_STACKS = {
    **{name: {**LOCAL, **keys} for name, keys in STACKS.items()},
    **{f"aliyun-{name}": {**ALIYUN, **keys} for name, keys in CLOUD_STACKS.items()},
}


@pytest.mark.parametrize("stack", sorted(ALL_STACKS))
def test_every_stack_keeps_the_contract(stack: str) -> None:
    outputs = record(ALL_STACKS[stack], SECRETS).stack_outputs
    jsonschema.Draft202012Validator(SCHEMA).validate(unseal(dict(outputs)))
    assert {name for name, value in outputs.items() if is_sealed(value)} == SEALED


def test_what_is_off_is_empty() -> None:
    outputs = plain_outputs(settings(federation="false"))
    assert outputs["federationAddress"] == ""
    assert outputs["ports"]["federation"] == 0
    assert outputs["wellKnown"]["server"] == {}


def test_the_next_steps_say_where_how_and_what() -> None:
    text = next_steps(settings(httpsPort="8443"))
    assert "https://localhost:8443" in text
    assert "make token" in text
    assert "local-ca.pem" in text
    assert "STACK=" not in text
    assert "make token STACK=other" in next_steps(settings("other"))


def test_the_next_steps_do_not_promise_a_token_where_registration_is_closed() -> None:
    assert "make token" not in next_steps(settings(registration="closed"))


def test_the_next_steps_name_records_that_somebody_has_to_make() -> None:
    assert "dnsRecords" not in next_steps(cloud_settings())
    assert "make outputs STACK=cloud" in next_steps(cloud_settings(dnsDomain=""))
    assert "dnsRecords" in next_steps(cloud_settings(serverName="example.org", matrixHost="matrix.example.com"))


def test_the_next_steps_of_a_homeserver_without_tokens_name_the_command_that_makes_accounts() -> None:
    for registration in ("token", "closed"):
        text = next_steps(settings("other", homeserver="dendrite", registration=registration))
        assert "make invite STACK=other" in text
        assert "make token" not in text
        assert "registration token" not in text


def test_no_token_is_in_the_outputs_where_it_would_let_nobody_in() -> None:
    outputs = record({**LOCAL, "homeserver": "dendrite"}, SECRETS).stack_outputs
    assert is_sealed(outputs["registrationToken"])
    assert unseal(outputs["registrationToken"]) == ""
