"""A whole stack on a booted host, declared over ssh: where its images come from, and that nothing changes by itself.

The tests go on where the one before has stopped: images from packages, a reboot, then images from a registry.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import docker
import pytest
import trustme

from config.catalogue import CATALOGUE, ImageName
from ops import docker_host
from tests.aliyun.guests import ADDRESS, DISK, INTERNET, Ground, ground
from tests.aliyun.over_ssh import HOST_FILE, PROGRAM
from tests.e2e.deployment import Deployment
from tests.e2e.matrix import Account, Matrix
from tests.recording import ROOT
from tests.registry.conftest import Registry
from tests.registry.servers import registry_with_tls, running_registry
from tests.samples import stack_file
from toolchain.places import Places

INSTANCE = "i-host"
PORTS = (80, 443, 8448)
IMAGES: tuple[ImageName, ...] = ("toolbox", "nginx", "synapse", "redis")
NAME = "matrix.host.test"
SETTINGS = {
    # Of a stack on Aliyun, with the host of the tests in place of what would be made there (tests/aliyun/over_ssh.py).
    **stack_file("dev"),
    "serverName": "host.test",
    "matrixHost": NAME,
    "dnsDomain": "",
    "homeserver": "synapse",
    "certificates": "self-signed",
    "imageSource": "packages",
    "subnet": "10.89.80.0/24",
    "deleteProtection": "true",
}


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A stack on a host, and a registry that the host's Docker engine has as its mirror."""

    ground: Ground
    deployment: Deployment
    registry: Registry

    def write_host(self, **changes: str) -> None:
        """Tell the program of the host."""
        file = self.deployment.folder / HOST_FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps({**asdict(self.ground.host), **changes}))

    def up(self, *arguments: str) -> str:
        """Run a plain `pulumi up`; return what it printed."""
        done = self.deployment.pulumi("up", "--yes", "--skip-preview", *arguments)
        return done.stdout + done.stderr

    def images(self) -> dict[str, str]:
        """Return the id of every image on the host, by its names."""
        lines = self.ground.ask("docker", "images", "--no-trunc", "--format", "'{{.Repository}}:{{.Tag}} {{.ID}}'")
        return dict(line.split() for line in lines.splitlines())

    def containers(self) -> dict[str, str]:
        """Return id and start of every container, by name."""
        form = "'{{.Name}} {{.Id}} {{.State.StartedAt}}'"
        ids = self.ground.ask("docker", "ps", "--all", "--quiet").split()
        return dict(
            line.split(" ", 1)
            for line in self.ground.ask("docker", "inspect", "--format", form, *ids).split("\n")
            if line
        )

    def run_images(self) -> set[str]:
        """Return the names of the images that the containers were made from."""
        ids = self.ground.ask("docker", "ps", "--all", "--quiet").split()
        return {*self.ground.ask("docker", "inspect", "--format", "'{{.Config.Image}}'", *ids).split()}

    def matrix(self) -> Matrix:
        """Return a client of the deployed homeserver."""
        return Matrix(f"https://{NAME}", f"https://{NAME}:{PORTS[2]}", self.deployment.ca)


def local_images() -> Mapping[str, tuple[str, ...]]:
    """Return the images of the Docker engine of the machine that runs Pulumi."""
    client = docker.from_env()
    try:
        return {str(each.id): tuple(each.tags) for each in client.images.list(all=True)}
    finally:
        client.close()


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host that boots, and a copy of the program that is told of it; nothing is deployed yet."""
    folder = tmp_path_factory.mktemp("registry")
    places = Places.of(os.environ)
    places.make()
    authority = trustme.CA()
    gateway = str(INTERNET.network_address + 1)
    authority.issue_cert(gateway).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    client = docker.from_env(timeout=300)
    with (
        ground(tmp_path_factory.mktemp("host")) as empty,
        running_registry(folder, places) as plain,
        registry_with_tls(folder, gateway, folder / "server.pem") as mirror,
    ):
        made = replace(empty, args=replace(empty.args, registry_mirrors=(mirror,)))
        made.boot(INSTANCE)
        made.hypervisor.attach_disk(INSTANCE, DISK)
        trust = f"/etc/docker/certs.d/{mirror}"
        pem = authority.cert_pem.bytes().decode()
        made.hypervisor.console(INSTANCE, "sh", "-c", f"mkdir -p {trust} && printf '%s' '{pem}' >{trust}/ca.crt")
        deployment = Deployment(
            stack="over-ssh-test", folder=tmp_path_factory.mktemp("stack"), ports=PORTS, settings=SETTINGS
        )
        deployment.prepare()
        (deployment.folder / "__main__.py").rename(deployment.folder / PROGRAM)
        shutil.copy(ROOT / "tests" / "aliyun" / "over_ssh.py", deployment.folder / "__main__.py")
        registry = Registry(host=plain, client=client, hosts={plain})
        remote = Remote(ground=made, deployment=deployment, registry=registry)
        remote.write_host()
        deployment.make("toolchain")
        deployment.pulumi("stack", "select", "--create", "--secrets-provider", "passphrase")
        deployment.make("secrets")
        deployment.make("images")
        try:
            yield remote
        finally:
            registry.clear()
            client.close()
            deployment.client.close()


@pytest.fixture(scope="module", autouse=True)
def name() -> Iterator[None]:
    """Let the name of the homeserver lead to the host in this process, as its DNS record will."""
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (as it is)
        return real(str(ADDRESS) if host == NAME else host, *arguments, **options)

    with mock.patch("socket.getaddrinfo", resolve):
        yield


@pytest.fixture(scope="module")
def accounts(remote: Remote) -> list[Account]:
    """Two people."""
    matrix = remote.matrix()
    token = remote.deployment.make("token").stdout.strip()
    return [matrix.new_account(token) for _ in range(2)]


def test_the_first_up_waits_for_the_host_and_builds_everything_there(remote: Remote) -> None:
    before = local_images()
    told = remote.up()
    # The host is still installing Docker when it begins.
    assert "waiting for " in told
    built = {name.partition(":")[0] for name in remote.images() if name.startswith("matrix-homeserver/")}
    assert built == {f"matrix-homeserver/{name}" for name in ("base", *IMAGES)}
    assert local_images() == before, "something was built on the machine that runs Pulumi"
    assert remote.ground.host.private_key.splitlines()[1] not in told


def test_nothing_changes_by_itself(remote: Remote) -> None:
    before = remote.containers()
    for arguments in ((), ("--refresh",)):
        remote.up("--expect-no-changes", *arguments)
    assert remote.containers() == before


def test_make_up_and_make_status_reach_the_host_too_and_bring_the_key_on_another_machine(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = remote.containers()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told = remote.deployment.make("up").stdout
    assert f"Docker on {ADDRESS} ... answers" in told
    (key,) = (tmp_path / "matrix-homeserver" / "ssh").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    assert remote.containers() == before
    status = remote.deployment.make("status").stdout
    assert status.count("ok  ") >= 7, status
    assert "FAIL" not in status


def test_people_talk_through_the_host(remote: Remote, accounts: list[Account]) -> None:
    matrix = remote.matrix()
    first, second = accounts
    room = matrix.ask(
        "POST", "/_matrix/client/v3/createRoom", token=first.access_token, json={"preset": "public_chat"}
    ).json()["room_id"]
    assert matrix.ask("POST", f"/_matrix/client/v3/join/{room}", token=second.access_token, json={}).status_code == 200
    said = {"msgtype": "m.text", "body": "over ssh"}
    path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1"
    assert matrix.ask("PUT", path, token=first.access_token, json=said).status_code == 200
    heard = matrix.ask("GET", f"/_matrix/client/v3/rooms/{room}/messages?dir=b", token=second.access_token).json()
    assert [each["content"] for each in heard["chunk"] if each["type"] == "m.room.message"] == [said]
    # Other homeservers, on their own port.
    version = matrix.ask("GET", "/_matrix/federation/v1/version", base=matrix.federation_url)
    assert version.json()["server"]["name"] == "Synapse"


def test_a_reboot_is_waited_for_and_changes_nothing(remote: Remote) -> None:
    ids = {name: seen.split()[0] for name, seen in remote.containers().items()}
    remote.ground.hypervisor.reboot(INSTANCE, force=False)
    remote.deployment.make("up")
    assert {name: seen.split()[0] for name, seen in remote.containers().items()} == ids
    remote.up("--refresh", "--expect-no-changes")


def test_a_host_that_was_booted_anew_by_this_very_run_is_waited_for(remote: Remote) -> None:
    # What another size of the instance does: the provider is updated, and nothing on the host.
    before = remote.containers()
    remote.write_host(incarnation="i-host/another-size")
    told = remote.up()
    assert "docker-engine" in told
    assert "1 updated" in told
    assert remote.containers() == before


def test_an_unreachable_host_is_said_in_a_sentence(remote: Remote) -> None:
    hypervisor = remote.ground.hypervisor
    hypervisor.filter(INSTANCE, [])
    try:
        told = remote.deployment.make("status", check=False)
        assert told.returncode != 0
        assert "waiting for the host to boot" in told.stderr
        assert "adminCidrs" in told.stderr
    finally:
        hypervisor.filter(INSTANCE, remote.ground.rules)


def test_images_from_a_registry_are_pulled_by_the_host_through_its_mirror(
    remote: Remote, accounts: list[Account]
) -> None:
    for name in IMAGES:
        remote.registry.push(name, remote.registry.host)
    before = local_images()
    remote.deployment.configure("imageSource", "registry")
    remote.up()
    # Docker Hub's own names: it is the host's Docker engine that knows a mirror.
    wanted = {(CATALOGUE[name].reference or "").removeprefix("docker.io/").removeprefix("library/") for name in IMAGES}
    assert remote.run_images() == wanted
    assert wanted <= {*remote.images()}
    assert local_images() == before
    who = remote.matrix().ask("GET", "/_matrix/client/v3/account/whoami", token=accounts[0].access_token)
    assert who.json()["user_id"] == accounts[0].user_id, "the data stayed"
    remote.up("--refresh", "--expect-no-changes")
    remote.deployment.make("up")
    remote.deployment.make("purge", CONFIRM=remote.deployment.stack)
    assert remote.ground.ask("docker", "ps", "--all", "--quiet") == ""
    assert not docker_host.missing(remote.ground.host)
