"""What exists in the emulated account, kept in one file so that the emulation can be stopped and started again."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final


@dataclass(kw_only=True)
class Changing:
    """Something that takes its time to change.

    Attributes:
        status: where it stands, or will stand.
        passing: what it says meanwhile.
        until: when the meanwhile ends, in seconds of the clock.
        busy: whether the hypervisor still works on it, which prolongs the meanwhile.
    """

    status: str = "Available"
    passing: str = ""
    until: float = 0.0
    busy: bool = False

    def shown(self, now: float) -> str:
        """Return the status as the API shows it."""
        return self.passing if self.passing and (self.busy or now < self.until) else self.status


@final
@dataclass(kw_only=True)
class Vpc(Changing):
    vpc_id: str
    name: str
    description: str
    cidr: str
    router_id: str
    route_table_id: str
    created: str
    tags: dict[str, str]


@final
@dataclass(kw_only=True)
class VSwitch(Changing):
    switch_id: str
    name: str
    description: str
    cidr: str
    vpc_id: str
    zone: str
    created: str
    tags: dict[str, str]


@final
@dataclass(kw_only=True)
class Eip(Changing):
    allocation_id: str
    address: str
    name: str
    description: str
    bandwidth: str
    internet_charge_type: str
    charge_type: str
    isp: str
    created: str
    tags: dict[str, str]
    instance_id: str = ""
    instance_type: str = ""
    deletion_protection: bool = False


@final
@dataclass(kw_only=True)
class SecurityGroup:
    group_id: str
    name: str
    description: str
    vpc_id: str
    group_type: str
    inner_access: str
    created: str
    tags: dict[str, str]


@final
@dataclass(kw_only=True)
class Rule:
    """A rule of a security group, its values as they were sent."""

    rule_id: str
    group_id: str
    direction: str
    protocol: str
    ports: str
    policy: str
    priority: str
    nic_type: str
    cidr: str
    ipv6_cidr: str
    peer_group: str
    prefix_list: str
    description: str
    created: str


@final
@dataclass(kw_only=True)
class KeyPair:
    name: str
    public_key: str
    fingerprint: str
    created: str
    tags: dict[str, str]


@final
@dataclass(kw_only=True)
class Disk(Changing):
    disk_id: str
    kind: str
    name: str
    description: str
    category: str
    performance_level: str
    size: int
    encrypted: bool
    kms_key_id: str
    zone: str
    created: str
    tags: dict[str, str]
    instance_id: str = ""
    device: str = ""
    delete_with_instance: bool = False
    delete_auto_snapshot: bool = False
    enable_auto_snapshot: bool = True
    policy_id: str = ""
    image_id: str = ""


@final
@dataclass(kw_only=True)
class Instance(Changing):
    instance_id: str
    name: str
    description: str
    host_name: str
    image_id: str
    instance_type: str
    cpus: int
    memory: int
    zone: str
    vpc_id: str
    switch_id: str
    private_address: str
    network_interface_id: str
    group_ids: list[str]
    key_pair: str
    user_data: str
    charge_type: str
    bandwidth_out: int
    internet_charge_type: str
    http_tokens: str
    http_endpoint: str
    deletion_protection: bool
    stopped_mode: str
    credit_specification: str
    security_enhancement: str
    ram_role: str
    created: str
    started: str
    tags: dict[str, str]
    reinstall: bool = False
    """Whether its machine is to be made anew at the next start."""


@final
@dataclass(kw_only=True)
class SnapshotPolicy:
    policy_id: str
    name: str
    time_points: str
    repeat_weekdays: str
    retention_days: int
    created: str
    tags: dict[str, str]


@final
@dataclass(kw_only=True)
class DnsRecord:
    record_id: str
    domain: str
    rr: str
    kind: str
    value: str
    ttl: int
    line: str
    priority: int
    enabled: bool = True
    remark: str = ""


@final
@dataclass(kw_only=True)
class Token:
    """A ClientToken that was used: what was asked with it, and what was answered."""

    action: str
    asked: str
    reply: dict[str, Any]


@final
@dataclass(kw_only=True)
class State:
    """Everything that exists, by id."""

    vpcs: dict[str, Vpc] = field(default_factory=dict)
    switches: dict[str, VSwitch] = field(default_factory=dict)
    eips: dict[str, Eip] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    key_pairs: dict[str, KeyPair] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    policies: dict[str, SnapshotPolicy] = field(default_factory=dict)
    records: dict[str, DnsRecord] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


TABLES: Mapping[str, Callable[..., Any]] = {
    "vpcs": Vpc,
    "switches": VSwitch,
    "eips": Eip,
    "groups": SecurityGroup,
    "rules": Rule,
    "key_pairs": KeyPair,
    "disks": Disk,
    "instances": Instance,
    "policies": SnapshotPolicy,
    "records": DnsRecord,
    "tokens": Token,
}


def as_text(state: State) -> str:
    """Write a state as JSON."""
    return json.dumps(dataclasses.asdict(state), indent=1, sort_keys=True)


def from_text(text: str) -> State:
    """Read a state that :func:`as_text` wrote."""
    tables = json.loads(text)
    return State(**{table: {k: TABLES[table](**v) for k, v in rows.items()} for table, rows in tables.items()})


@final
class Store:
    """The file of a state. It holds user data, so only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = ""

    def load(self) -> State:
        """Return what was stored; an empty state if nothing was."""
        if not self._path.is_file():
            return State()
        self._written = self._path.read_text()
        return from_text(self._written)

    def save(self, state: State) -> None:
        """Store, whole or not at all, if anything changed."""
        text = as_text(state)
        if text == self._written:
            return
        beside = self._path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        beside.replace(self._path)
        self._written = text
