"""``docs/ram-policy.json`` allows what the program needs, and nothing else.

What it needs is what the real plugin calls when the cloud half of the program is made, read, changed in every setting
that changes something in the cloud, and removed; and what the commands call.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import docker
import pytest

from tests.aliyun.rehearsal import Rehearsal
from tests.e2e.deployment import Deployment
from tests.recording import ROOT

POLICY = ROOT / "docs" / "ram-policy.json"
COMMANDS = {
    "ecs:DescribePrice",  # make price
    "ecs:DescribeInstances",  # make up (ops/strays.py)
}
CHANGES = (
    # Everything that changes in place.
    {
        "bandwidth": "20",
        "snapshotRetention": "9",
        "dnsTtl": "1200",
        "dataDiskSize": "60",
        "tier": "2C4G",
        "metadataTokens": "required",
        "deleteProtection": "true",
        "adminCidrs": "198.51.100.1/32,198.51.100.2/32",
    },
    # What is taken away again; and another name, whose records are changed or made anew.
    {
        "adminCidrs": "198.51.100.1/32",
        "federation": "false",
        "deleteProtection": "false",
        "matrixHost": "m.example.com",
    },
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, Deployment]]:
    """The stack ``dev`` on an account without machines; only its cloud half is deployed."""
    rehearsal = Rehearsal(stack="dev", folder=tmp_path_factory.mktemp("permissions"), hosts=False)
    rehearsal.start()
    client = docker.from_env()
    try:
        rehearsal.prepare()
        shutil.copy(ROOT / "tests" / "aliyun" / "cloud_alone.py", rehearsal.project / "__main__.py")
        deployment = rehearsal.deployment()
        deployment.make("toolchain")
        deployment.pulumi("stack", "select", "--create", "--secrets-provider", "passphrase")
        deployment.make("secrets")
        yield rehearsal, deployment
        deployment.client.close()
    finally:
        rehearsal.stop()
        client.close()


def allowed() -> list[str]:
    """Return the actions of the policy."""
    return [action for statement in json.loads(POLICY.read_text())["Statement"] for action in statement["Action"]]


def up(deployment: Deployment, *arguments: str) -> None:
    """Deploy the cloud half."""
    deployment.pulumi("up", "--yes", "--skip-preview", *arguments)


def test_the_policy_allows_what_was_called_and_nothing_else(cloud: tuple[Rehearsal, Deployment]) -> None:
    rehearsal, deployment = cloud
    up(deployment)
    up(deployment, "--refresh", "--expect-no-changes")
    for change in CHANGES:
        for key, value in change.items():
            deployment.pulumi("config", "set", key, value)
        up(deployment)
    deployment.pulumi("destroy", "--yes", "--skip-preview")
    lines = (rehearsal.account / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    called = {f"{each['product']}:{each['action']}" for each in entries if each["client"] in {"tea", "old"}}
    needed = called | COMMANDS
    assert sorted(set(allowed()) - needed) == [], "allowed, and never needed"
    assert sorted(needed - set(allowed())) == [], "needed, and not allowed"


def test_nothing_is_allowed_twice_or_by_a_wildcard() -> None:
    assert sorted(allowed()) == sorted(set(allowed()))
    assert not any("*" in action for action in allowed())
