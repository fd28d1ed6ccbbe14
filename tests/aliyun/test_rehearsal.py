"""The stack ``dev`` of the repository from nothing to nothing on an emulated Aliyun whose instance really boots.

The tests go on where the one before has stopped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import pytest
import trustme
from docker.models.containers import Container

from config.catalogue import CATALOGUE, ImageName, registry_reference
from ops.docker_host import DockerHost
from ops.docker_host import run as run_on
from ops.stack import INSTANCE_TYPE, host_in
from tests.aliyun.console import Console, UnansweredError
from tests.aliyun.emulation.hosts import NAME as NETWORK
from tests.aliyun.guests import eventually
from tests.aliyun.names import names_from, resolver
from tests.aliyun.rehearsal import MACHINE, Rehearsal
from tests.aliyun.scan import open_ports
from tests.e2e.deployment import Deployment
from tests.e2e.matrix import Account, Matrix
from tests.registry.conftest import Registry
from tests.registry.servers import registry_with_tls, running_registry
from tests.samples import LITE
from toolchain.places import Places

STACK = "dev"
SERVER_NAME = "dev.example.com"
NAME = "matrix.dev.example.com"
LEVEL = "lite"
"""Of the monitoring, on every tier that the tests choose: all of it would be nine more images on the host."""
IMAGES: tuple[ImageName, ...] = ("toolbox", "nginx", "synapse", "redis", *LITE)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the tests share."""

    rehearsal: Rehearsal
    deployment: Deployment
    console: Console
    registry: Registry
    """Which the host's Docker engine has as its mirror."""
    authority: Path
    """Certificate of the mirror's CA."""

    @property
    def name_server(self) -> str:
        """Where the account's names are asked."""
        return self.rehearsal.environment["EMULATED_ALIYUN_DNS"]

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the stack, secrets masked."""
        outputs: dict[str, Any] = json.loads(self.deployment.make("outputs").stdout)
        return outputs

    def up(self, *arguments: str, check: bool = True) -> str:
        """Run a plain `pulumi up`; return what it printed."""
        done = self.deployment.pulumi("up", "--yes", "--skip-preview", *arguments, check=check)
        return done.stdout + done.stderr

    def state(self) -> list[dict[str, Any]]:
        """Return the resources of the state."""
        exported = json.loads(self.deployment.pulumi("stack", "export").stdout)
        return exported["deployment"].get("resources") or []

    def host(self) -> DockerHost:
        """Return the host as the state knows it."""
        exported = json.loads(self.deployment.pulumi("stack", "export", "--show-secrets").stdout)
        host = host_in(exported["deployment"]["resources"])
        assert host is not None
        return host

    def on_host(self, *words: str) -> str:
        """Run something on the host over ssh; return what it printed."""
        done = run_on(self.host(), *words, seconds=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def containers(self) -> dict[str, str]:
        """Return the ids of the containers on the host, by name."""
        told = self.on_host("docker", "ps", "--all", "--no-trunc", "--format", "'{{.Names}} {{.ID}}'")
        return dict(line.split() for line in told.splitlines())

    def images(self) -> set[str]:
        """Return the names of the images on the host."""
        return {*self.on_host("docker", "images", "--format", "'{{.Repository}}:{{.Tag}}'").split()}

    def status(self) -> str:
        """Return the state of the one instance."""
        return str(self.instance()["Status"])

    def instances(self) -> list[dict[str, Any]]:
        """Return the instances of the account; none where the API is too busy to answer."""
        try:
            found: list[dict[str, Any]] = self.console.ecs("DescribeInstances")["Instances"]["Instance"]
        except UnansweredError:
            return []
        return found

    def instance(self) -> dict[str, Any]:
        """Return the one instance of the account."""
        (instance,) = self.instances()
        return instance

    @property
    def machine(self) -> Container:
        """The system container that is the one instance."""
        return self.deployment.client.containers.get(f"{NETWORK}-{self.instance()['InstanceId']}")

    def matrix(self) -> Matrix:
        """Return a client that goes by the stack's names and ports."""
        return Matrix(f"https://{NAME}", f"https://{NAME}:8448", self.deployment.ca)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An emulated Aliyun with a registry beside it, and a copy of the program; nothing is deployed yet."""
    folder = tmp_path_factory.mktemp("registry")
    places = Places.of(os.environ)
    places.make()
    machine = MACHINE.partition("/")[0]
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert(machine).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    rehearsal = Rehearsal(stack=STACK, folder=tmp_path_factory.mktemp("rehearsal"))
    client = docker.from_env(timeout=300)
    with ExitStack() as stack:
        stack.callback(client.close)
        stack.callback(rehearsal.remove, client)
        rehearsal.start()
        plain = stack.enter_context(running_registry(folder, places))
        mirror = stack.enter_context(registry_with_tls(folder, machine, folder / "server.pem"))
        registry = Registry(host=plain, client=client, hosts={plain})
        stack.callback(registry.clear)
        rehearsal = replace(rehearsal, changes={"registryMirrors": mirror, "monitoring": LEVEL})
        rehearsal.prepare()
        deployment = rehearsal.deployment()
        stack.callback(deployment.client.close)
        yield Stage(
            rehearsal=rehearsal,
            deployment=deployment,
            console=Console(rehearsal.environment),
            registry=registry,
            authority=folder / "ca.pem",
        )


@pytest.fixture(scope="module", autouse=True)
def _names(stage: Stage) -> Iterator[None]:
    with names_from(stage.name_server, "example.com"):
        yield


@pytest.fixture(scope="module")
def account(stage: Stage) -> Account:
    """Somebody who has said something in a room of their own."""
    matrix = stage.matrix()
    return matrix.new_account(stage.deployment.make("token").stdout.strip())


@pytest.fixture(scope="module")
def room(stage: Stage, account: Account) -> str:
    """A room with one message."""
    matrix = stage.matrix()
    made = matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
    room_id = str(made.json()["room_id"])
    path = f"/_matrix/client/v3/rooms/{room_id}/send/m.room.message/first"
    said = matrix.ask("PUT", path, token=account.access_token, json={"msgtype": "m.text", "body": "first"})
    assert said.status_code == 200, said.text
    return room_id


def local_images() -> Mapping[str, tuple[str, ...]]:
    """Return those images of the stack that the Docker engine of the machine that runs Pulumi has, by id.

    Other tests, which run at the same time, make images of other names.
    """
    names = {f"matrix-homeserver/{name}" for name in ("base", *IMAGES)} | {
        registry_reference(name, "").partition(":")[0] for name in IMAGES
    }
    client = docker.from_env()
    try:
        found = {str(each.id): tuple(each.tags) for each in client.images.list(all=True)}
    finally:
        client.close()
    return {id_: tags for id_, tags in found.items() if names & {tag.partition(":")[0] for tag in tags}}


def messages(stage: Stage, account: Account, room: str) -> list[str]:
    """Return what was said in a room."""
    path = f"/_matrix/client/v3/rooms/{room}/messages?dir=f"
    deadline = time.monotonic() + 120
    while True:
        try:
            answer = stage.matrix().ask("GET", path, token=account.access_token)
            if answer.status_code == 200:
                events = answer.json()["chunk"]
                return [each["content"]["body"] for each in events if each["type"] == "m.room.message"]
        except OSError:
            pass
        assert time.monotonic() < deadline, "no answer within two minutes"
        time.sleep(2)


def test_an_up_that_is_killed_on_the_way_is_continued_by_the_next(stage: Stage, tmp_path: Path) -> None:
    local = local_images()
    running = stage.deployment.start("up", tmp_path / "up.log")
    deadline = time.monotonic() + 300
    # In the middle of it: the instance is asked for, and not there yet.
    while not stage.instances():
        assert running.poll() is None, (tmp_path / "up.log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    killed = subprocess.run(
        ["pkill", "-KILL", "--session", str(os.getsid(running.pid)), "-f", "pulumi-resource-alicloud"], check=False
    )
    assert killed.returncode == 0, "no plugin was there to be killed"
    assert running.wait(timeout=300) != 0
    # Its setup would only take the time of the one that is used.
    eventually("the instance runs", lambda: stage.status() == "Running")
    stage.console.ecs("StopInstance", InstanceId=stage.instance()["InstanceId"], ForceStop="true")
    told = stage.deployment.make("up").stdout
    assert "Homeserver answers over TLS" in told
    (used,) = (each["id"] for each in stage.state() if each["type"] == INSTANCE_TYPE)
    strays = {each["InstanceId"] for each in stage.instances()} - {used}
    # Whose creation was cut off, Pulumi has never heard of. A person is told.
    for stray in strays:
        assert f"The instance {stray} (matrix-dev-host) carries the tags of this stack" in told
        stage.console.ecs("DeleteInstance", InstanceId=stray, Force="true")
    assert strays, "the plugin died after the instance had been asked for, so there must be one"
    built = {name.partition(":")[0] for name in stage.images() if name.startswith("matrix-homeserver/")}
    assert built == {f"matrix-homeserver/{name}" for name in ("base", *IMAGES)}
    assert local_images() == local, "something was built on the machine that runs Pulumi"


def test_nothing_changes_by_itself(stage: Stage) -> None:
    before = stage.containers()
    stage.up("--expect-no-changes")
    stage.up("--refresh", "--expect-no-changes")
    assert stage.containers() == before


def test_people_reach_it_by_its_names_with_verified_certificates(stage: Stage, account: Account, room: str) -> None:
    assert account.user_id.endswith(f":{SERVER_NAME}")
    assert messages(stage, account, room) == ["first"]
    outputs = stage.outputs()
    names = resolver(stage.name_server)
    assert [each.to_text() for each in names.resolve(NAME, "A")] == [outputs["publicIp"]]
    (srv,) = names.resolve(f"_matrix-fed._tcp.{SERVER_NAME}", "SRV")
    assert (srv.port, srv.target.to_text()) == (8448, f"{NAME}.")
    version = stage.matrix().ask("GET", "/_matrix/federation/v1/version", base=stage.matrix().federation_url)
    assert version.json()["server"]["name"] == "Synapse"


def test_secrets_are_nowhere_in_clear(stage: Stage) -> None:
    host = stage.host()
    body = "".join(host.private_key.strip().splitlines()[1:3])
    exported = stage.deployment.pulumi("stack", "export").stdout
    assert body not in exported
    assert body not in "".join(stage.deployment.printed)
    journal = (stage.rehearsal.account / "journal.jsonl").read_text()
    assert "PRIVATE KEY" not in journal


def test_another_machine_gets_the_key_from_the_state(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stage.containers()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    status = stage.deployment.make("status").stdout
    assert status.count("ok  ") >= 6, status
    assert "FAIL" not in status
    (key,) = (tmp_path / "matrix-homeserver" / "ssh").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    stage.up("--expect-no-changes")
    assert stage.containers() == before


def test_a_scan_from_outside_sees_the_published_ports_and_more_without_the_rules(stage: Stage) -> None:
    address = stage.outputs()["publicIp"]
    assert open_ports(NETWORK, address) == {80, 443, 8448}
    inside = ["nsenter", f"--target={stage.machine.attrs['State']['Pid']}", "--net"]
    rules = subprocess.run([*inside, "iptables-save", "--table=mangle"], capture_output=True, check=True).stdout
    subprocess.run([*inside, "iptables", "--table=mangle", "--flush", "PREROUTING"], check=True)
    try:
        assert open_ports(NETWORK, address, range(1, 10_000)) == {22, 80, 443, 8448}
    finally:
        subprocess.run([*inside, "iptables-restore", "--table=mangle"], input=rules, check=True)


def test_drift_made_by_hand_is_shown_and_mended(stage: Stage) -> None:
    group = stage.console.ecs("DescribeSecurityGroups")["SecurityGroups"]["SecurityGroup"][0]["SecurityGroupId"]
    stage.console.ecs(
        "RevokeSecurityGroup", SecurityGroupId=group, IpProtocol="tcp", PortRange="8448/8448", SourceCidrIp="0.0.0.0/0"
    )
    shown = stage.deployment.pulumi("preview", "--refresh", "--diff").stdout
    assert re.search(r"\+ alicloud:ecs/securityGroupRule:SecurityGroupRule", shown), shown[-3000:]
    stage.up("--refresh")
    stage.up("--refresh", "--expect-no-changes")


def test_a_host_that_lets_nobody_in_is_said_in_a_sentence(stage: Stage) -> None:
    group = stage.console.ecs("DescribeSecurityGroups")["SecurityGroups"]["SecurityGroup"][0]["SecurityGroupId"]
    rule = {"SecurityGroupId": group, "IpProtocol": "tcp", "PortRange": "22/22", "SourceCidrIp": MACHINE}
    (before,) = (
        each
        for each in stage.console.ecs("DescribeSecurityGroupAttribute", SecurityGroupId=group)["Permissions"][
            "Permission"
        ]
        if each["PortRange"] == "22/22"
    )
    stage.console.ecs("RevokeSecurityGroup", **rule)
    try:
        told = stage.deployment.make("status", check=False)
    finally:
        # As it was: over ssh, nothing could mend it.
        more = {key: before[key] for key in ("Policy", "Priority", "NicType", "Description")}
        stage.console.ecs("AuthorizeSecurityGroup", **rule, **more)
    assert told.returncode != 0
    assert "waiting for the host to boot" in told.stderr
    assert "adminCidrs" in told.stderr


def test_a_reboot_brings_everything_back(stage: Stage, account: Account, room: str) -> None:
    before, started = stage.containers(), stage.machine.attrs["State"]["StartedAt"]
    stage.console.ecs("RebootInstance", InstanceId=stage.instance()["InstanceId"])
    # Until it is shut down, everything is there as well.
    eventually("the host was started anew", lambda: stage.machine.attrs["State"]["StartedAt"] != started, 180)
    assert messages(stage, account, room) == ["first"]
    assert stage.containers() == before


def test_another_tier_restarts_the_host_as_shown_beforehand(stage: Stage, account: Account, room: str) -> None:
    instance = stage.instance()
    stage.deployment.pulumi("config", "set", "tier", "2C4G")
    shown = stage.deployment.pulumi("preview", "--diff").stdout
    assert re.search(r"~ alicloud:ecs/instance:Instance", shown), shown[-3000:]
    assert "instanceType" in shown
    assert not re.search(r"(\+-|-\+|\+|-) alicloud:ecs/", shown), "nothing in the cloud is made or replaced"
    # Its Docker engine is gone for a while in the middle of it.
    stage.up()
    after = stage.instance()
    assert after["InstanceId"] == instance["InstanceId"]
    assert after["InstanceType"] != instance["InstanceType"]
    assert messages(stage, account, room) == ["first"]
    stage.up("--refresh", "--expect-no-changes")


def test_a_host_that_somebody_stopped_is_started(stage: Stage, account: Account, room: str) -> None:
    before = stage.containers()
    stage.console.ecs("StopInstance", InstanceId=stage.instance()["InstanceId"])
    stage.deployment.make("up")
    assert stage.status() == "Running"
    assert messages(stage, account, room) == ["first"]
    assert stage.containers() == before


def test_a_new_instance_finds_everything_on_the_old_data_disk(stage: Stage, account: Account, room: str) -> None:
    before = stage.containers()
    instance, address = stage.instance()["InstanceId"], stage.outputs()["publicIp"]
    assert stage.instance()["MetadataOptions"]["HttpTokens"] == "required"
    stage.deployment.make("up", REPLACE="host")
    assert stage.instance()["InstanceId"] != instance
    assert stage.outputs()["publicIp"] == address
    assert messages(stage, account, room) == ["first"]
    assert stage.containers() == before
    stage.up("--refresh", "--expect-no-changes")
    # Made without, since cloud-init of Debian 12 could not have read its setup, and raised after that: the plugin
    # states it once with every creation.
    calls = [json.loads(line) for line in (stage.rehearsal.account / "journal.jsonl").read_text().splitlines()]
    raised = [each["action"] for each in calls if each["action"] in {"RunInstances", "ModifyInstanceMetadataOptions"}]
    assert raised[-3:] == ["RunInstances", "ModifyInstanceMetadataOptions", "ModifyInstanceMetadataOptions"]
    assert stage.instance()["MetadataOptions"]["HttpTokens"] == "required"


def test_images_from_a_registry_are_pulled_by_the_host_through_its_mirror(
    stage: Stage, account: Account, room: str
) -> None:
    for name in IMAGES:
        stage.registry.push(name, stage.registry.host)
    (mirror,) = stage.on_host("docker", "info", "--format", "'{{join .RegistryConfig.Mirrors \" \"}}'").split()
    trust = f"/etc/docker/certs.d/{urlsplit(mirror).netloc}"
    pem = stage.authority.read_text()
    stage.on_host(f"sudo mkdir -p {trust} && echo '{pem}' | sudo tee {trust}/ca.crt >/dev/null")
    local = local_images()
    stage.deployment.configure("imageSource", "registry")
    stage.deployment.make("up")
    # Docker Hub's own names: it is the host's Docker engine that knows a mirror.
    wanted = {(CATALOGUE[name].reference or "").removeprefix("docker.io/").removeprefix("library/") for name in IMAGES}
    assert {*stage.on_host("docker", "ps", "--all", "--format", "'{{.Image}}'").split()} == wanted
    assert local_images() == local
    assert messages(stage, account, room) == ["first"]
    stage.up("--refresh", "--expect-no-changes")


def test_what_is_protected_survives_destroy(stage: Stage) -> None:
    stage.deployment.configure("deleteProtection", "true")
    stage.up()
    refused = stage.deployment.pulumi("destroy", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    assert "protect" in refused.stdout + refused.stderr
    assert stage.status() == "Running"
    assert stage.console.ecs("DescribeDisks", DiskType="data")["Disks"]["Disk"]
    assert stage.console.vpc("DescribeEipAddresses")["EipAddresses"]["EipAddress"]
    stage.deployment.configure("deleteProtection", "false")
    # Not a plain one: what is deleted with the host was forgotten by then, and is still there.
    stage.deployment.make("up")


def test_destroy_leaves_nothing(stage: Stage) -> None:
    started = time.monotonic()
    stage.deployment.pulumi("destroy", "--yes", "--skip-preview")
    print(f"destroy took {time.monotonic() - started:.0f} s")
    assert stage.instances() == []
    assert stage.console.ecs("DescribeDisks")["Disks"]["Disk"] == []
    assert stage.console.vpc("DescribeEipAddresses")["EipAddresses"]["EipAddress"] == []
    assert stage.state() == [] or {each["type"] for each in stage.state()} == {"pulumi:pulumi:Stack"}


def test_an_emulation_that_ends_leaves_no_process(stage: Stage) -> None:
    account = str(stage.rehearsal.account).encode()

    def at_work() -> list[str]:
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if account in file.read_bytes():
                    found.append(file.parent.name)
        return found

    assert at_work() == [str(stage.rehearsal.process())]
    stage.rehearsal.stop()
    assert at_work() == []
    failed = [line for line in stage.rehearsal.log.read_text().splitlines() if line.startswith("emulated Aliyun:")]
    assert not failed, "machines did not do what the API had promised"
