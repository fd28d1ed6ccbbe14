"""On a running stack, a changed setting touches the services of the table and no others, and the preview shows it.

The table is that of tests/contract/test_changes.py. `make test` changes settings together that touch the same services;
`make outages` changes them one by one and writes how long nobody answered into docs/operations.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from components.container import LABEL_ROLE
from config.homeservers import HOMESERVERS
from ops.stack import CONTAINER_TYPE
from tests.contract.test_changes import CHANGES, FIXED, HOMESERVER, SECRET_CHANGES
from tests.e2e.conftest import figure
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.watch import WRITES, Address, address_of, outage, watched, write_outages

PORTS = (25080, 25443, 25448)
OTHER_PORT = 25543

# From one stack that runs to another that does. In this order: what others depend on goes last.
VALUES = {
    "registryMirrors": "mirror.example",
    "deleteProtection": "false",
    "registrationToken": "Another-token-0123456789",
    # Touch nothing here: another homeserver runs, nothing is monitored, the stack's own CA signs, nobody calls.
    "dendriteRegistrationSecret": "Another-secret-0123456789",
    "canaryPassword": "Another-password-0123456789",
    "grafanaAdminPassword": "Another-password-0123456789",
    "grafanaSecretKey": "Another-secret-0123456789",
    "prometheusPort": "25090",
    "acmeDirectory": "https://ca.invalid/directory",
    "acmeEmail": "admin@example.com",
    "alidnsAccessKey": "Made-up-id:Made-up-secret",
    "acmeBinding": "Made-up-id:Made-up-key",
    "turnPort": "3479",
    "turnPorts": "50000-50009",
    "turnAddress": "127.0.0.2",
    "turnPrivateRanges": "10.20.0.0/16",
    "turnSecret": "Another-secret-0123456789",
    "grafanaPort": "25030",
    "dashboardsPassword": "Another-password-0123456789",
    "bindAddress": "127.0.0.2",
    "httpPort": "25081",
    "federationPort": "25449",
    "discovery": "srv",
    "registration": "closed",
    "federationPrivateRanges": "10.20.0.0/16",
    "extraCa": trustme.CA().cert_pem.bytes().decode(),
    "dnsServers": "172.17.0.1",
    "synapseRegistrationSecret": "Another-secret-0123456789",
    "synapseMacaroonSecret": "Another-secret-0123456789",
    "synapseFormSecret": "Another-secret-0123456789",
    "matrixHost": "matrix.example.com",
    "uploadLimit": "30 MiB",
    "federation": "false",
    "httpsPort": str(OTHER_PORT),
    "tier": "1C1G",
    "subnet": "10.89.85.0/24",
    "redisPassword": "Another-password-0123456789",
    "redis": "false",
    "monitoring": "lite",
}
# imageSource and registryPrefix are in tests/registry, homeserver in test_change_homeserver.py, certificates below. A
# changed synapseRegistrarPassword makes `make up` fail, as the table says. imageOrigins is written by `make up`.
# A TURN server is in test_calls.py, dashboards over HTTPS are in test_monitoring.py.
ELSEWHERE = {
    "imageSource",
    "registryPrefix",
    "imageOrigins",
    "homeserver",
    "synapseRegistrarPassword",
    "certificates",
    "turn",
    "dashboards",
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
        settings={"homeserver": "synapse", "imageSource": "packages", "subnet": "10.89.84.0/24", "tier": "2C4G"},
    )
    deployment.prepare()
    with brought_up("synapse", deployment) as running:
        yield running


def role_of(name: str) -> str:
    return HOMESERVER if name in HOMESERVERS else name


def ids(deployment: Deployment) -> dict[str, str]:
    """Return the container of each service, and its memory, which alone is changed without another container."""
    return {
        role_of(
            str(each.name).removeprefix(f"matrix-{deployment.stack}-")
        ): f"{each.id} {each.attrs['HostConfig']['Memory']}"
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
        write_outages(outages)


def test_a_stack_that_runs_goes_over_to_acme_and_serves_its_own_certificate_until_the_ca_answers(
    stack: Deployed, tmp_path: Path
) -> None:
    deployment = stack.deployment
    before = ids(deployment)
    deployment.configure("certificates", "acme-dns")  # the settings above have the rest
    # `make up` writes there what is to be trusted then; the stack's own CA is not, and signs until the CA answers.
    own = tmp_path / "ca.pem"
    shutil.copy(deployment.ca, own)
    asked = reached_with(deployment, VALUES)
    with watched([replace(asked, edge=replace(asked.edge, ca_file=own))]) as seen:
        deployment.make("up")
    after = ids(deployment)
    changed = {each for each in {*before, *after} if before.get(each) != after.get(each)}
    # What asks Nginx and the client for the monitoring besides.
    assert changed == CHANGES["certificates"].synapse | {"prometheus", "blackbox-exporter"}
    assert seen[-1][1], "it does not answer"
    told = deployment.make("status", check=False).stdout
    assert "no certificate of the CA yet" in told
    assert "ca.invalid" in told


def test_every_setting_is_changed_here_or_elsewhere() -> None:
    assert set(VALUES) | ELSEWHERE | FIXED == {*CHANGES, *SECRET_CHANGES} | FIXED
