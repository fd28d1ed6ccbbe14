"""Every kind of resource meets every kind of trouble, all in one ``up``: what is said, and what the next ``up`` does.

What a resource stands on is there before, so that a trouble hits this resource alone. Each has a mark in its calls, by
which the trouble finds it and by which what was left behind is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from tests.aliyun.account import IMAGE, PUBLIC_KEY, ZONE, Account
from tests.aliyun.emulation.faults import Fault
from tests.aliyun.emulation.state import State
from tests.aliyun.program import Cloud

TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "forbidden": {"status": 403, "code": "Forbidden.RAM", "message": "User not authorized to operate."},
    "throttled": {"kind": "throttle", "times": 2},
    "unavailable": {"status": 503, "code": "ServiceUnavailable", "message": "The request has failed.", "times": 2},
    "internal": {"status": 500, "code": "InternalError", "message": "The request processing has failed."},
    "silent": {"kind": "timeout", "seconds": 12.0},
    "unanswered": {"kind": "lost"},
    "late error": {"kind": "failed", "status": 500, "code": "InternalError", "message": "The request has failed."},
}
"""By name: the fault that the call which creates a resource meets. See ``emulation/faults.py`` for its kinds."""

CLIENT_READ_TIMEOUT = "8000"
"""Milliseconds after which the plugin gives a silent API up; 60 s by default. A busy machine must not seem silent."""


@final
@dataclass(frozen=True)
class Kind:
    """A kind of resource: a row of a table.

    Attributes:
        name: for people.
        resource: its type.
        creation: the call that creates it.
        deletion: the call that deletes it.
        inputs: made from the account and a mark, and the mark that its calls then really have in them.
        count: how many things of a mark exist.
    """

    name: str
    resource: str
    creation: str
    deletion: str
    inputs: Callable[[Account, str], tuple[dict[str, Any], str]]
    count: Callable[[State, str], int]


def _vpc(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"vpcName": mark, "cidrBlock": "10.42.0.0/16"}, mark


def _switch(account: Account, mark: str) -> tuple[dict[str, Any], str]:
    vpc = account.console.vpc("CreateVpc", CidrBlock="10.43.0.0/16")["VpcId"]
    account.settle()
    return {"vswitchName": mark, "vpcId": vpc, "cidrBlock": "10.43.1.0/24", "zoneId": ZONE}, mark


def _group(account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"securityGroupName": mark, "vpcId": account.vpc}, mark


def _rule(account: Account, mark: str) -> tuple[dict[str, Any], str]:
    group = account.console.ecs("CreateSecurityGroup", VpcId=account.vpc)["SecurityGroupId"]
    rule = {"type": "ingress", "ipProtocol": "tcp", "portRange": "443/443", "cidrIp": "0.0.0.0/0", "priority": 1}
    return {"securityGroupId": group, "nicType": "intranet", "policy": "accept", "description": mark, **rule}, mark


def _key_pair(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"keyPairName": mark, "publicKey": PUBLIC_KEY}, mark


def _instance(account: Account, mark: str) -> tuple[dict[str, Any], str]:
    inputs = {
        "instanceName": mark,
        "imageId": IMAGE,
        "instanceType": "ecs.e-c1m2.large",
        "vswitchId": account.switch,
        "securityGroups": [account.group],
        "systemDiskCategory": "cloud_essd_entry",
        "systemDiskSize": 40,
        "instanceChargeType": "PostPaid",
    }
    return inputs, mark


def _disk(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"diskName": mark, "zoneId": ZONE, "category": "cloud_essd", "performanceLevel": "PL0", "size": 40}, mark


def _new_disk(account: Account) -> str:
    made = account.console.ecs("CreateDisk", ZoneId=ZONE, DiskCategory="cloud_essd", PerformanceLevel="PL0")
    account.settle()
    return str(made["DiskId"])


def _attachment(account: Account, _mark: str) -> tuple[dict[str, Any], str]:
    disk = _new_disk(account)
    return {"diskId": disk, "instanceId": account.instance}, disk


def _eip(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"addressName": mark, "bandwidth": "5", "internetChargeType": "PayByTraffic", "isp": "BGP"}, mark


def _association(account: Account, _mark: str) -> tuple[dict[str, Any], str]:
    eip = account.console.vpc("AllocateEipAddress", InternetChargeType="PayByTraffic")["AllocationId"]
    instance = account.run()
    account.settle()
    return {"allocationId": eip, "instanceId": instance}, eip


def _policy(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"autoSnapshotPolicyName": mark, "timePoints": ["3"], "repeatWeekdays": ["1"], "retentionDays": 7}, mark


def _application(account: Account, _mark: str) -> tuple[dict[str, Any], str]:
    disk = _new_disk(account)
    return {"autoSnapshotPolicyId": account.policy, "diskId": disk}, disk


def _record(_account: Account, mark: str) -> tuple[dict[str, Any], str]:
    return {"domainName": "example.com", "rr": mark, "type": "A", "value": "198.51.100.1", "ttl": 600}, mark


def _named(table: str) -> Callable[[State, str], int]:
    return lambda state, mark: sum(found.name == mark for found in getattr(state, table).values())


def _bound(table: str, attribute: str) -> Callable[[State, str], int]:
    return lambda state, mark: int(bool(getattr(getattr(state, table)[mark], attribute)))


KINDS = (
    Kind("VPC", "vpc/network:Network", "CreateVpc", "DeleteVpc", _vpc, _named("vpcs")),
    Kind("vSwitch", "vpc/switch:Switch", "CreateVSwitch", "DeleteVSwitch", _switch, _named("switches")),
    Kind(
        "security group",
        "ecs/securityGroup:SecurityGroup",
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
        _group,
        _named("groups"),
    ),
    Kind(
        "security group rule",
        "ecs/securityGroupRule:SecurityGroupRule",
        "AuthorizeSecurityGroup",
        "RevokeSecurityGroup",
        _rule,
        lambda state, mark: sum(rule.description == mark for rule in state.rules.values()),
    ),
    Kind(
        "key pair",
        "ecs/ecsKeyPair:EcsKeyPair",
        "ImportKeyPair",
        "DeleteKeyPairs",
        _key_pair,
        _named("key_pairs"),
    ),
    Kind("instance", "ecs/instance:Instance", "RunInstances", "DeleteInstance", _instance, _named("instances")),
    Kind("EIP", "ecs/eipAddress:EipAddress", "AllocateEipAddress", "ReleaseEipAddress", _eip, _named("eips")),
    Kind(
        "EIP association",
        "ecs/eipAssociation:EipAssociation",
        "AssociateEipAddress",
        "UnassociateEipAddress",
        _association,
        _bound("eips", "instance_id"),
    ),
    Kind("disk", "ecs/ecsDisk:EcsDisk", "CreateDisk", "DeleteDisk", _disk, _named("disks")),
    Kind(
        "disk attachment",
        "ecs/ecsDiskAttachment:EcsDiskAttachment",
        "AttachDisk",
        "DetachDisk",
        _attachment,
        _bound("disks", "instance_id"),
    ),
    Kind(
        "snapshot policy",
        "ecs/autoSnapshotPolicy:AutoSnapshotPolicy",
        "CreateAutoSnapshotPolicy",
        "DeleteAutoSnapshotPolicy",
        _policy,
        _named("policies"),
    ),
    Kind(
        "snapshot policy attachment",
        "ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment",
        "ApplyAutoSnapshotPolicy",
        "CancelAutoSnapshotPolicy",
        _application,
        _bound("disks", "policy_id"),
    ),
    Kind(
        "DNS record",
        "dns/alidnsRecord:AlidnsRecord",
        "AddDomainRecord",
        "DeleteDomainRecord",
        _record,
        lambda state, mark: sum(record.rr == mark for record in state.records.values()),
    ),
)


@final
@dataclass(frozen=True, kw_only=True)
class Case:
    """One resource and what befalls it."""

    kind: Kind
    trouble: str
    inputs: Mapping[str, Any]
    mark: str

    @property
    def name(self) -> str:
        """Of the resource in the program."""
        return f"{self.kind.name} {self.trouble}".replace(" ", "-")

    def at_creation(self) -> Fault:
        return Fault(action=self.kind.creation, where=self.mark, **TROUBLES[self.trouble])

    def at_deletion(self, resource_id: str) -> Fault:
        """Return the fault for a resource with this id, which may be a compound one."""
        parts = resource_id.split(":")
        where = self.mark if self.mark in parts else parts[0]
        return Fault(action=self.kind.deletion, where=where, **TROUBLES[self.trouble])


def cases(account: Account) -> list[Case]:
    """Prepare what the resources stand on, and return them all."""
    found = []
    for kind in KINDS:
        for number, trouble in enumerate(TROUBLES):
            mark = f"{kind.name}-{number}".replace(" ", "-").lower()
            inputs, known_by = kind.inputs(account, mark)
            found.append(Case(kind=kind, trouble=trouble, inputs=inputs, mark=known_by))
    return found


@final
@dataclass(frozen=True, kw_only=True)
class Program:
    """Declares them all."""

    cases: list[Case]

    def __call__(self) -> None:
        for case in self.cases:
            Cloud(case.kind.resource, case.name, case.inputs)
