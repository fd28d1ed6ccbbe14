"""What the API has the hypervisor do, and in which order."""

# ruff: noqa: ARG002 - the recording hypervisor has the parameters of a real one

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import final

import pytest

from tests.aliyun.account import NEWER_IMAGE, PUBLIC_KEY, Account, Clock
from tests.aliyun.console import Console
from tests.aliyun.emulation.emulation import Emulation, Options
from tests.aliyun.emulation.hypervisor import Guest, Hypervisor, HypervisorError, IngressRule


@final
class Recording(Hypervisor):
    """Remembers what it was asked for, instances and disks by their kind only; fails when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.guests: list[Guest] = []
        self.rules: dict[str, Sequence[IngressRule]] = {}
        self.fails: set[str] = set()

    def _note(self, *call: object) -> None:
        if call[0] in self.fails:
            raise HypervisorError(f"{call[0]} failed")
        self.calls.append(call)

    def create_disk(self, disk_id: str, gibibytes: int) -> None:
        self._note("create_disk", gibibytes)

    def resize_disk(self, disk_id: str, gibibytes: int) -> None:
        self._note("resize_disk", gibibytes)

    def delete_disk(self, disk_id: str) -> None:
        self._note("delete_disk")

    def create(self, guest: Guest) -> None:
        self.guests.append(guest)
        self._note("create")

    def start(self, instance_id: str) -> None:
        self._note("start")

    def stop(self, instance_id: str, *, force: bool) -> None:
        self._note("stop", force)

    def reboot(self, instance_id: str, *, force: bool) -> None:
        self._note("reboot", force)

    def resize(self, instance_id: str, *, cpus: int, memory: int) -> None:
        self._note("resize", cpus, memory)

    def reinstall(self, guest: Guest) -> None:
        self.guests.append(guest)
        self._note("reinstall")

    def delete(self, instance_id: str) -> None:
        self._note("delete")

    def attach_disk(self, instance_id: str, disk_id: str) -> None:
        self._note("attach_disk")

    def detach_disk(self, instance_id: str, disk_id: str) -> None:
        self._note("detach_disk")

    def associate_address(self, instance_id: str, address: IPv4Address) -> None:
        self._note("associate_address", address)

    def dissociate_address(self, instance_id: str, address: IPv4Address) -> None:
        self._note("dissociate_address", address)

    def filter(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        self._note("filter")
        self.rules[instance_id] = rules


@pytest.fixture
def hypervisor() -> Recording:
    return Recording()


@pytest.fixture
def emulation(tmp_path: Path, clock: Clock, hypervisor: Recording) -> Iterator[Emulation]:
    with Emulation(Options(state=tmp_path / "account", settle=2.0, now=clock, hypervisor=hypervisor)) as running:
        yield running


@pytest.fixture
def account(emulation: Emulation, clock: Clock) -> Account:
    return Account(Console(emulation.environment), clock)


def test_an_instance_is_protected_before_it_runs(emulation: Emulation, account: Account, hypervisor: Recording) -> None:
    assert account.instance
    emulation.cloud.work.wait()
    assert hypervisor.calls[:3] == [("create",), ("filter",), ("start",)]
    guest = hypervisor.guests[0]
    assert (guest.user_data, guest.authorized_keys) == (b"#cloud-config\n", [PUBLIC_KEY])
    assert (guest.cpus, guest.memory) == (2, 4096)
    assert guest.private_address in IPv4Network("10.42.1.0/24")
    assert account.status(account.instance) == "Running"


def test_rules_reach_the_filter(emulation: Emulation, account: Account, hypervisor: Recording) -> None:
    account.console.ecs("ModifySecurityGroupPolicy", SecurityGroupId=account.group, InnerAccessPolicy="Drop")
    assert account.instance
    rule = {
        "SecurityGroupId": account.group,
        "IpProtocol": "tcp",
        "PortRange": "80/443",
        "SourceCidrIp": "203.0.113.0/24",
    }
    account.console.ecs("AuthorizeSecurityGroup", Priority=7, **rule)
    emulation.cloud.work.wait()
    assert list(hypervisor.rules[account.instance]) == [
        IngressRule(
            protocol="tcp",
            first_port=80,
            last_port=443,
            source=IPv4Network("203.0.113.0/24"),
            accept=True,
            priority=7,
        )
    ]
    account.console.ecs("RevokeSecurityGroup", Priority=7, **rule)
    emulation.cloud.work.wait()
    assert list(hypervisor.rules[account.instance]) == []


def test_members_of_a_group_reach_each_other_unless_they_are_not_to(
    emulation: Emulation, account: Account, hypervisor: Recording
) -> None:
    second = account.run()
    account.settle()
    emulation.cloud.work.wait()
    both = {IPv4Network(guest.private_address) for guest in hypervisor.guests}
    assert account.instance
    emulation.cloud.work.wait()
    both |= {IPv4Network(guest.private_address) for guest in hypervisor.guests}
    assert {rule.source for rule in hypervisor.rules[second]} == both
    account.console.ecs("ModifySecurityGroupPolicy", SecurityGroupId=account.group, InnerAccessPolicy="Drop")
    emulation.cloud.work.wait()
    assert list(hypervisor.rules[second]) == []


def test_the_machine_follows_the_instance(emulation: Emulation, account: Account, hypervisor: Recording) -> None:
    console, instance = account.console, account.instance
    console.ecs("AttachDisk", DiskId=account.disk, InstanceId=instance)
    console.vpc("AssociateEipAddress", AllocationId=account.eip, InstanceId=instance)
    emulation.cloud.work.wait()
    account.settle()
    hypervisor.calls.clear()
    console.ecs("StopInstance", InstanceId=instance)
    emulation.cloud.work.wait()
    account.settle()
    console.ecs("ModifyInstanceSpec", InstanceId=instance, InstanceType="ecs.e-c1m2.xlarge")
    emulation.cloud.work.wait()
    console.ecs("ReplaceSystemDisk", InstanceId=instance, ImageId=NEWER_IMAGE)
    console.ecs("AttachKeyPair", KeyPairName=account.key_pair, InstanceIds=f'["{instance}"]')
    console.ecs("StartInstance", InstanceId=instance)
    emulation.cloud.work.wait()
    account.settle()
    console.ecs("RebootInstance", InstanceId=instance)
    emulation.cloud.work.wait()
    account.settle()
    console.ecs("DeleteInstance", InstanceId=instance, Force=True)
    emulation.cloud.work.wait()
    assert hypervisor.calls == [
        ("stop", False),
        ("resize", 4, 8192),
        ("reinstall",),
        ("filter",),
        ("start",),
        ("reboot", False),
        ("stop", True),
        ("delete",),
    ]
    assert hypervisor.guests[-1].authorized_keys == [PUBLIC_KEY]  # attached after the disk was replaced


def test_an_instance_whose_machine_does_not_start_is_stopped(
    emulation: Emulation, account: Account, hypervisor: Recording, capfd: pytest.CaptureFixture[str]
) -> None:
    hypervisor.fails.add("start")
    instance = account.run()
    emulation.cloud.work.wait()
    account.settle()
    assert account.status(instance) == "Stopped"
    assert f"boot {instance}: start failed" in capfd.readouterr().err
    hypervisor.fails.clear()
    account.console.ecs("StartInstance", InstanceId=instance)
    emulation.cloud.work.wait()
    account.settle()
    assert account.status(instance) == "Running"
