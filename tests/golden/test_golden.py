"""The declared graph of each stack as a file: a change of what would be deployed shows in the pull request.

`make golden` writes the files anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.recording import Recording, is_sealed, record
from tests.samples import LOCAL, SECRETS, stack_file

STACKS: Mapping[str, Mapping[str, str]] = {
    "local-conduit": {**LOCAL, "homeserver": "conduit"},
    "local-synapse": {**LOCAL, "homeserver": "synapse", "imageSource": "packages"},
    "local-monitored": {
        **LOCAL,
        "tier": "2C4G",
        "homeserver": "synapse",
        "imageSource": "packages",
        "monitoring": "full",
        "alerts": "dingtalk,wecom,feishu,webhook,heartbeat",
    },
    "local-grafana": {**LOCAL, "tier": "2C4G", "homeserver": "synapse", "monitoring": "full"},
    "local-dendrite": {**LOCAL, "homeserver": "dendrite", "imageSource": "packages"},
    "local-acme": {
        **LOCAL,
        "serverName": "example.com",
        "matrixHost": "matrix.example.com",
        "certificates": "acme-dns",
        "imageSource": "packages",
        "homeserver": "synapse",
    },
    "dev": stack_file("dev"),
    "prod": stack_file("prod"),
}


def shortened(text: str) -> str:
    """Return a text without what is long and not ours; the name of the volume that it goes into follows from it."""
    if text.startswith("{\n") and '"panels"' in text:
        return f"[dashboard {json.loads(text)['title']}]"
    certificates = text.count("-----BEGIN CERTIFICATE-----")
    return f"[{certificates} certificates]" if certificates > 1 else text


def readable(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a value without what does not belong into a file: secrets, dashboards, the public CAs, whole floats."""
    if is_sealed(value):
        return "[secret]"
    if isinstance(value, dict):
        return {key: readable(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [readable(each) for each in value]
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def graph(recording: Recording) -> str:
    """Return the graph as YAML, sorted by URN."""
    resources = {
        urn.partition("::matrix::")[2]: {
            **({"protect": True} if each.protect else {}),
            **({"retainOnDelete": True} if each.retain_on_delete else {}),
            **({"ignoreChanges": list(each.ignore_changes)} if each.ignore_changes else {}),
            **({"deleteBeforeReplace": each.delete_before_replace} if each.delete_before_replace is not None else {}),
            "inputs": readable(dict(each.inputs)),
        }
        for urn, each in sorted(recording.registrations.items())
        if each.custom
    }
    return yaml.safe_dump(
        {"resources": resources, "outputs": readable(dict(recording.stack_outputs))},
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


@pytest.mark.parametrize("name", sorted(STACKS))
def test_the_declared_graph_is_the_reviewed_one(name: str) -> None:
    path = Path(__file__).parent / f"{name}.yaml"
    found = graph(record(STACKS[name], SECRETS, stack=name.partition("-")[0]))
    if os.environ.get("WRITE_GOLDEN") == "1":
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), "make golden writes the file anew; review the difference"
