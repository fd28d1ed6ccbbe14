"""Every kind of resource meets every kind of trouble, all in one ``up``: what Pulumi says, what the next ``up`` does.

What a resource stands on is there before, so that a trouble hits this resource alone. Each has a mark in its calls, by
which the trouble finds it and by which what was left behind is counted.
"""

from __future__ import annotations

import json
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
    "silent": {"kind": "timeout", "seconds": 4.0},
    "unanswered": {"kind": "lost"},
    "late error": {"kind": "failed", "status": 500, "code": "InternalError", "message": "The request has failed."},
}
"""By name: the fault that the call which creates a resource meets. See ``emulation/faults.py`` for its kinds."""

CLIENT_READ_TIMEOUT = "2000"
"""Milliseconds after which the plugin gives a silent API up; 60 s by default."""


@final
@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource.

    Attributes:
        name: for people.
        token: its type.
        action: the call that creates it.
        inputs: made from the account and the mark; also what a call that has nothing of the mark in it is known by.
        count: how many things of a mark exist.
    """

    name: str
    token: str
    action: str
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


KINDS = (
    Kind(name="VPC", token="vpc/network:Network", action="CreateVpc", inputs=_vpc, count=_named("vpcs")),
    Kind(name="vSwitch", token="vpc/switch:Switch", action="CreateVSwitch", inputs=_switch, count=_named("switches")),
    Kind(
        name="security group",
        token="ecs/securityGroup:SecurityGroup",
        action="CreateSecurityGroup",
        inputs=_group,
        count=_named("groups"),
    ),
    Kind(
        name="security group rule",
        token="ecs/securityGroupRule:SecurityGroupRule",
        action="AuthorizeSecurityGroup",
        inputs=_rule,
        count=lambda state, mark: sum(rule.description == mark for rule in state.rules.values()),
    ),
    Kind(
        name="key pair",
        token="ecs/ecsKeyPair:EcsKeyPair",
        action="ImportKeyPair",
        inputs=_key_pair,
        count=_named("key_pairs"),
    ),
    Kind(
        name="instance",
        token="ecs/instance:Instance",
        action="RunInstances",
        inputs=_instance,
        count=_named("instances"),
    ),
    Kind(name="EIP", token="ecs/eipAddress:EipAddress", action="AllocateEipAddress", inputs=_eip, count=_named("eips")),
    Kind(
        name="EIP association",
        token="ecs/eipAssociation:EipAssociation",
        action="AssociateEipAddress",
        inputs=_association,
        count=lambda state, mark: int(bool(state.eips[mark].instance_id)),
    ),
    Kind(name="disk", token="ecs/ecsDisk:EcsDisk", action="CreateDisk", inputs=_disk, count=_named("disks")),
    Kind(
        name="disk attachment",
        token="ecs/ecsDiskAttachment:EcsDiskAttachment",
        action="AttachDisk",
        inputs=_attachment,
        count=lambda state, mark: int(bool(state.disks[mark].instance_id)),
    ),
    Kind(
        name="snapshot policy",
        token="ecs/autoSnapshotPolicy:AutoSnapshotPolicy",
        action="CreateAutoSnapshotPolicy",
        inputs=_policy,
        count=_named("policies"),
    ),
    Kind(
        name="snapshot policy attachment",
        token="ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment",
        action="ApplyAutoSnapshotPolicy",
        inputs=_application,
        count=lambda state, mark: int(bool(state.disks[mark].policy_id)),
    ),
    Kind(
        name="DNS record",
        token="dns/alidnsRecord:AlidnsRecord",
        action="AddDomainRecord",
        inputs=_record,
        count=lambda state, mark: sum(record.rr == mark for record in state.records.values()),
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
        return f"{self.kind.name}, {self.trouble}".replace(" ", "-").replace(",", "")

    def fault(self) -> Fault:
        return Fault(action=self.kind.action, where=self.mark, **TROUBLES[self.trouble])


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
            Cloud(case.kind.token, case.name, case.inputs)


def sentence(message: str) -> str:
    """Return what matters of a plugin's message: the code and text of the API's error, or the last line."""
    start = message.find('{"Code"')
    if start >= 0:
        found = json.JSONDecoder().raw_decode(message[start:])[0]
        return f"{found['Code']}: {found['Message']}"
    return message.strip().splitlines()[-1] if message.strip() else ""
