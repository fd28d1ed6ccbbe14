"""Everything that the program declares settles: created, compared, refreshed, compared again, nothing has changed.

A property that the Docker engine gives back in another form than it was sent is a change at every `pulumi up`; for most
properties of a container that means a replacement, and an outage.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import docker as docker_sdk
import pytest

from components.container import LABEL_STACK
from config.catalogue import CATALOGUE
from ops import images
from ops.plugin import Plugin
from tests import standin
from tests.recording import Recording, Registration, record, unseal
from tests.samples import LOCAL, SECRETS

STACKS: Mapping[str, Mapping[str, str]] = {
    "synapse": {"homeserver": "synapse"},
    "dendrite": {"homeserver": "dendrite", "turn": "true", "turnPort": "20478", "turnPorts": "20480-20483"},
    "monitored": {"homeserver": "synapse", "tier": "2C4G", "monitoring": "full", "prometheusPort": "20090"},
    "conduit": {"registryPrefix": standin.PREFIX},
    "acme": {
        "registryPrefix": standin.PREFIX,
        "certificates": "acme-http",
        "acmeDirectory": "https://ca.invalid/directory",
    },
    "closed": {
        "registryPrefix": standin.PREFIX,
        "registration": "closed",
        "federation": "false",
        "redis": "false",
        "bindAddress": "127.0.0.2",
        "uploadLimit": "1 GiB",
    },
}
PORTS = {"httpPort": "20080", "httpsPort": "20443", "federationPort": "20448"}


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource in the Docker engine."""

    registration: Registration
    inputs: dict[str, Any]
    id: str
    state: dict[str, Any]


class Deployment:
    """The Docker resources of a recording, made by the plugin as the Pulumi engine would make them."""

    def __init__(self, plugin: Plugin, recording: Recording, texts: Mapping[str, str]) -> None:
        self.plugin = plugin
        self.texts = texts
        self.created: dict[str, Created] = {}
        declared = {urn: each for urn, each in recording.registrations.items() if each.type.startswith("docker:")}
        with ThreadPoolExecutor(max_workers=len(declared)) as pool:
            # A resource is registered after those that it depends on, so none of these waits for a later one.
            made: dict[str, Future[Created]] = {}
            for urn, each in declared.items():
                made[urn] = pool.submit(
                    self._create, each, [made[other] for other in each.dependencies if other in made]
                )
            for urn, future in made.items():
                self.created[urn] = future.result()

    def _create(self, registration: Registration, before: list[Future[Created]]) -> Created:
        for each in before:
            each.result()
        inputs = self.plugin.check(registration.urn, self.declared(registration))
        id_, state = self.plugin.create(registration.urn, inputs)
        return Created(registration=registration, inputs=inputs, id=id_, state=state)

    def declared(self, registration: Registration) -> dict[str, Any]:
        """Return the declared inputs, with real certificates in the place of the recording's."""
        inputs: dict[str, Any] = unseal(dict(registration.inputs))
        for upload in inputs.get("uploads", []):
            for made_up, real in self.texts.items():
                upload["content"] = upload["content"].replace(made_up, real)
        return inputs

    def changes(self, created: Created, state: dict[str, Any], inputs: dict[str, Any]) -> list[str]:
        """Return the properties that the next ``pulumi up`` would change, given what the state then holds."""
        urn = created.registration.urn
        news = self.plugin.check(urn, self.declared(created.registration), inputs)
        answer = self.plugin.diff(urn, created.id, state=state, news=news, old_inputs=inputs)
        return [*answer.diffs, *answer.replaces] if answer.changes else []

    def delete(self) -> None:
        """Delete everything, what uses something first; images stay (``keepLocally``)."""
        with ThreadPoolExecutor() as pool:
            for kind in ("container:Container", "volume:Volume", "network:Network", "remoteImage:RemoteImage"):
                some = [each for each in self.created.values() if each.registration.type.endswith(kind)]
                for done in [pool.submit(self.plugin.delete, one.registration.urn, one.id, one.state) for one in some]:
                    done.result()


def certificate() -> Mapping[str, str]:
    """Let the tls plugin make a certificate, by the texts that stand for one in a recording."""
    urn = "urn:pulumi:test::matrix::tls:index/{}::test"
    with Plugin.start("tls") as tls:
        tls.configure()
        kind = urn.format("privateKey:PrivateKey")
        _, key = tls.create(kind, tls.check(kind, {"algorithm": "ECDSA", "ecdsaCurve": "P256"}))
        pem = unseal(key["privateKeyPem"])
        kind = urn.format("selfSignedCert:SelfSignedCert")
        wanted = {"privateKeyPem": pem, "validityPeriodHours": 24, "allowedUses": ["server_auth"]}
        _, signed = tls.create(kind, tls.check(kind, {**wanted, "dnsNames": ["localhost"]}))
    return {
        "PRIVATE KEY of certificates-key": pem,
        "certificate certificates-leaf\n": unseal(signed["certPem"]),
        "certificate certificates-ca\n": unseal(signed["certPem"]),
    }


@pytest.fixture(scope="module", params=sorted(STACKS))
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    client = docker_sdk.from_env(timeout=300)
    images.prepare([name for name, entry in CATALOGUE.items() if entry.inputs])
    standin.provide(client)
    stack = f"settling-{uuid.uuid4().hex[:8]}-test"
    config = {**LOCAL, **PORTS, "imageSource": "packages", "subnet": "10.89.72.0/24", **STACKS[request.param]}
    recording = record(config, SECRETS, stack=stack)
    try:
        with Plugin.start("docker") as plugin:
            plugin.configure({"host": "unix:///var/run/docker.sock"})
            found = Deployment(plugin, recording, certificate())
            yield found
            found.delete()
        assert not remaining(client, stack), "deleted resources are still there"
    finally:
        for each in remaining(client, stack):
            each.remove(**({"force": True} if hasattr(each, "kill") else {}))
        client.close()


def remaining(client: docker_sdk.DockerClient, stack: str) -> list[Any]:
    filters: dict[str, Any] = {"label": f"{LABEL_STACK}={stack}"}
    return [
        *client.containers.list(all=True, ignore_removed=True, filters=filters),
        *client.volumes.list(filters=filters),
        *client.networks.list(filters=filters),
    ]


def test_nothing_changes_right_after_it_was_created(deployment: Deployment) -> None:
    found = {
        each.registration.name: deployment.changes(each, each.state, each.inputs)
        for each in deployment.created.values()
    }
    assert len(found) > 15
    assert {name: properties for name, properties in found.items() if properties} == {}


def test_nothing_changes_after_a_refresh(deployment: Deployment) -> None:
    found: dict[str, list[str]] = {}
    for each in deployment.created.values():
        id_, state, inputs = deployment.plugin.read(
            each.registration.urn, each.id, state=each.state, inputs=each.inputs
        )
        assert id_ == each.id, f"{each.registration.name} is gone"
        found[each.registration.name] = deployment.changes(each, state, inputs)
    assert {name: properties for name, properties in found.items() if properties} == {}


def test_every_one_shot_ended_well_and_every_service_is_healthy(deployment: Deployment) -> None:
    client = docker_sdk.from_env()
    try:
        for each in deployment.created.values():
            if each.registration.type != "docker:index/container:Container":
                continue
            state = client.containers.get(each.id).attrs["State"]
            if each.inputs["restart"] == "no":
                assert (state["Status"], state["ExitCode"]) == ("exited", 0), each.registration.name
            else:
                assert state["Health"]["Status"] == "healthy", each.registration.name
    finally:
        client.close()
