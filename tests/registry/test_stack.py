"""Whole stacks whose images come from a registry: pinned by `make pin`, brought by `make up`, purged again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from config.catalogue import CATALOGUE, LOCK_FILE, ImageName
from tests.e2e.conftest import figure
from tests.e2e.deployment import Deployment
from tests.e2e.watch import WRITES, address_of, outage, watched, write_outages
from tests.registry.conftest import Mirrors, Registry

IMAGES: tuple[ImageName, ...] = ("toolbox", "nginx", "synapse", "redis")
PORTS = (20180, 20543, 20548)
SETTINGS = {"homeserver": "synapse", "imageSource": "registry", "subnet": "10.89.79.0/24"}


@pytest.fixture(scope="module")
def digests(registry: Registry) -> Mapping[str, str]:
    """Digest by the catalogue's reference, of everything that a stack with Synapse runs."""
    return {CATALOGUE[name].reference or "": registry.push(name, registry.host) for name in IMAGES}


@pytest.fixture
def deployment(tmp_path: Path, registry: Registry) -> Iterator[Deployment]:
    made = Deployment(stack="registry-test", folder=tmp_path, ports=PORTS, settings=SETTINGS)
    made.prepare()
    try:
        yield made
        assert made.left_in_the_docker_engine() == []
    finally:
        made.remove()
        registry.clear()


def images_of_containers(deployment: Deployment) -> set[str]:
    """Return the names of the images that the containers were made from."""
    return {str(each.attrs["Config"]["Image"]) for each in deployment.containers()}


def test_a_stack_comes_up_from_a_registry_with_what_make_pin_wrote(
    deployment: Deployment, registry: Registry, digests: Mapping[str, str]
) -> None:
    deployment.write_config({**SETTINGS, "registryPrefix": registry.host})
    deployment.make("toolchain")
    deployment.pulumi("stack", "select", "--create", "--secrets-provider", "passphrase")
    deployment.make("secrets")
    told = deployment.make("pin", check=False)
    assert told.returncode != 0
    assert f"{registry.host}/matrixconduit/matrix-conduit:v0.10.12: it has no such tag (404)" in told.stderr
    assert json.loads((deployment.folder / LOCK_FILE).read_text()) == digests

    deployment.make("up")
    expected = {
        f"{registry.host}/{reference.removeprefix('docker.io/')}@{digest}" for reference, digest in digests.items()
    }
    assert images_of_containers(deployment) == expected
    before = deployment.started_at()
    again = deployment.make("up")
    assert "Images from registries ... reused" in again.stdout
    assert deployment.started_at() == before

    # The same registry by another name, then none.
    other = f"localhost:{registry.host.rpartition(':')[2]}"
    registry.hosts.add(other)
    outages = {}
    for key, value in (("registryPrefix", other), ("imageSource", "packages")):
        deployment.configure(key, value)
        with watched([address_of(deployment)]) as seen:
            deployment.make("up")
        outages[key] = outage(seen)
        from_registry = {each for each in images_of_containers(deployment) if each.startswith(f"{other}/")}
        assert from_registry == (images_of_containers(deployment) if key == "registryPrefix" else set())
    figure(f"seconds without an answer while images came from elsewhere: {outages}")
    if WRITES:
        write_outages(outages)
    deployment.make("purge", CONFIRM=deployment.stack)


def test_a_stack_comes_up_from_the_last_mirror_of_a_list_after_every_other_one_was_told(
    deployment: Deployment, registry: Registry, mirrors: Mirrors, digests: Mapping[str, str]
) -> None:
    (deployment.folder / LOCK_FILE).write_text(json.dumps(dict(digests)))
    down, silent, forbidding, tampering = (
        mirrors.down(),
        mirrors.silent(),
        mirrors.forbidding(),
        mirrors.tampering(),
    )
    deployment.write_config(
        {
            **SETTINGS,
            "registryPrefix": down,
            "registryMirrors": f"{silent},{forbidding},{tampering},{registry.host}",
        }
    )
    told = deployment.make("up").stdout
    for host, part in (
        (down, f"it refuses the connection; nothing listens there; trying {silent}"),
        (silent, f"nothing came from it for 8 s; trying {forbidding}"),
        (forbidding, f"it forbids that (403): the image, or this network, is not allowed there; trying {tampering}"),
        (tampering, "what it sent is not what was asked for (wrong digest)"),
    ):
        assert [line for line in told.splitlines() if line.lstrip().startswith(f"{host} does") and part in line], told
    assert all(each.startswith(f"{registry.host}/") for each in images_of_containers(deployment))
    origins = ",".join(f"{name}={registry.host}" for name in sorted(IMAGES))
    assert deployment.pulumi("config", "get", "imageOrigins").stdout.strip() == origins
    before = deployment.started_at()
    deployment.pulumi("up", "--yes", "--skip-preview")
    assert deployment.started_at() == before, "a plain `pulumi up` finds what `make up` brought"
    deployment.make("purge", CONFIRM=deployment.stack)


def test_a_lock_with_another_digest_than_the_registry_has_is_refused_and_nothing_is_started(
    deployment: Deployment, registry: Registry, digests: Mapping[str, str]
) -> None:
    nginx = CATALOGUE["nginx"].reference or ""
    wrong = "sha256:" + "0" * 64
    (deployment.folder / LOCK_FILE).write_text(json.dumps({**digests, nginx: wrong}))
    deployment.write_config({**SETTINGS, "registryPrefix": registry.host})
    told = deployment.make("up", check=False)
    assert told.returncode != 0
    assert f"its tag is stale or moved: there it is {digests[nginx][:19]}, pinned is {wrong[:19]}" in told.stderr
    assert "make pin" in told.stderr
    client = docker.from_env()
    try:
        assert not [each for each in client.images.list() if any(t.startswith(registry.host) for t in each.tags)]
    finally:
        client.close()
    # A plain `pulumi up` is refused by the Docker engine itself, for that image.
    plain = deployment.pulumi("up", "--yes", "--skip-preview", check=False)
    assert plain.returncode != 0
    assert not [each for each in deployment.containers() if "-nginx" in str(each.name)]
    deployment.make("purge", CONFIRM=deployment.stack)
