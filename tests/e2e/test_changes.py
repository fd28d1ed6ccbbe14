"""On a running stack, a changed setting touches the services of the table and no others, and the preview shows it.

The table is that of tests/contract/test_changes.py. `make test` changes settings together that touch the same services;
`make outages` changes them one by one and writes how long nobody answered into docs/operations.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence

import pytest

from components.container import LABEL_ROLE
from config.homeservers import HOMESERVERS
from ops.stack import CONTAINER_TYPE
from tests.contract.test_changes import CHANGES, FIXED, HOMESERVER, SECRET_CHANGES
from tests.e2e.conftest import figure
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.watch import Address, address_of, outage, watched
from tests.recording import ROOT

DOCUMENT = ROOT / "docs" / "operations.md"
PORTS = (25080, 25443, 25448)
OTHER_PORT = 25543
COLUMN = 4
"""Of the table in docs/operations.md."""
WRITES = os.environ.get("WRITE_OUTAGES") == "1"

# From one stack that runs to another that does. In this order: Redis goes last, since it does not come back.
VALUES = {
    "registryMirrors": "mirror.example",
    "deleteProtection": "false",
    "registrationToken": "Another-token-0123456789",
    "bindAddress": "127.0.0.2",
    "httpPort": "25081",
    "federationPort": "25449",
    "registration": "closed",
    "synapseRegistrationSecret": "Another-secret-0123456789",
    "synapseMacaroonSecret": "Another-secret-0123456789",
    "synapseFormSecret": "Another-secret-0123456789",
    "matrixHost": "matrix.example.com",
    "uploadLimit": "30 MiB",
    "federation": "false",
    "httpsPort": str(OTHER_PORT),
    "tier": "2C4G",
    "subnet": "10.89.85.0/24",
    "redisPassword": "Another-password-0123456789",
    "redis": "false",
}
# imageSource and registryPrefix need a registry that has the images, and imageOrigins one that has them elsewhere
# (tests/registry); homeserver is in test_change_homeserver.py, dendriteRegistrationSecret in test_lifecycle.py. A
# changed synapseRegistrarPassword makes `make up` fail, as the table says. What a monitored stack changes is more than
# the table says of one that is not. What concerns federation is changed in tests/federation.
ELSEWHERE = {
    "imageSource",
    "registryPrefix",
    "imageOrigins",
    "homeserver",
    "discovery",
    "federationPrivateRanges",
    "extraCa",
    "dnsServers",
    "monitoring",
    "prometheusPort",
    "grafanaPort",
    "dendriteRegistrationSecret",
    "synapseRegistrarPassword",
    "canaryPassword",
    "grafanaAdminPassword",
    "grafanaSecretKey",
}


def expected(keys: Sequence[str]) -> set[str]:
    """Return the services that a change of these settings touches while Synapse runs."""
    return set().union(*({**CHANGES, **SECRET_CHANGES}[key].synapse for key in keys))


def groups() -> list[list[str]]:
    """Return the settings in the order in which they are changed: those that touch the same together."""
    if WRITES:
        return [[key] for key in VALUES]
    together: dict[frozenset[str], list[str]] = {}
    for key in VALUES:
        together.setdefault(frozenset(expected([key])), []).append(key)
    return list(together.values())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    deployment = Deployment(
        stack="changes-test",
        folder=tmp_path_factory.mktemp("changes"),
        ports=PORTS,
        settings={"homeserver": "synapse", "imageSource": "packages", "subnet": "10.89.84.0/24"},
    )
    deployment.prepare()
    with brought_up("synapse", deployment) as running:
        yield running


def role_of(name: str) -> str:
    return HOMESERVER if name in HOMESERVERS else name


def ids(deployment: Deployment) -> dict[str, str]:
    """Return the container of each service."""
    return {
        role_of(str(each.name).removeprefix(f"matrix-{deployment.stack}-")): str(each.id)
        for each in deployment.containers()
        if each.labels[LABEL_ROLE] == "service"
    }


def previewed(deployment: Deployment) -> set[str]:
    """Return the services whose containers a preview would touch."""
    steps = json.loads(deployment.pulumi("preview", "--json").stdout)["steps"]
    return {
        role_of(step["urn"].rpartition("::")[2])
        for step in steps
        if step["op"] != "same"
        and step["urn"].split("::")[-2].endswith(CONTAINER_TYPE)
        and (step.get("newState") or step["oldState"])["inputs"].get("restart") != "no"
    }


def reached_with(deployment: Deployment, settings: Mapping[str, str]) -> Address:
    """Return where the stack is reached with these settings."""
    return address_of(
        deployment,
        host=settings.get("matrixHost", "localhost"),
        address=settings.get("bindAddress", "127.0.0.1"),
        port=int(settings.get("httpsPort", PORTS[1])),
    )


def test_a_changed_setting_touches_what_the_table_says(stack: Deployed) -> None:
    deployment = stack.deployment
    settings: dict[str, str] = {}
    outages: dict[str, float] = {}
    for keys in groups():
        before, old = ids(deployment), reached_with(deployment, settings)
        for key in keys:
            deployment.configure(key, VALUES[key])
            settings[key] = VALUES[key]
        assert previewed(deployment) == expected(keys), keys
        with watched([old, reached_with(deployment, settings)]) as seen:
            deployment.make("up")
        after = ids(deployment)
        assert {each for each in {*before, *after} if before.get(each) != after.get(each)} == expected(keys), keys
        assert seen[-1][1], f"{keys}: it does not answer"
        if not expected(keys) & {HOMESERVER, "nginx"}:
            assert outage(seen) == 0, keys
        outages[", ".join(keys)] = outage(seen)
    figure(
        "seconds without an answer while a setting was changed: "
        + "; ".join(f"{keys} {seconds:.1f}" for keys, seconds in outages.items())
    )
    if WRITES:
        write(outages)


def test_every_setting_is_changed_here_or_elsewhere() -> None:
    assert set(VALUES) | ELSEWHERE | FIXED == {*CHANGES, *SECRET_CHANGES} | FIXED


def write(outages: Mapping[str, float]) -> None:
    """Put the seconds into the table of settings."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        cells = line.split("|")
        key = cells[1].strip(" `") if line.startswith("| `") else ""
        if key in outages:
            cells[COLUMN] = f" {outages[key]:.1f} s " if outages[key] else " 0 "
            lines[index] = "|".join(cells)
    DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")
