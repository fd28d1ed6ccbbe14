"""The real plugin on a straight road: everything made, changed, looked at, found changed by others, removed.

The tests of this file share one stack and build on each other in their order; each leaves it settled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import dns.message
import dns.query
import pytest
from pulumi import automation

from tests.aliyun.account import NEWER_IMAGE
from tests.aliyun.console import Console
from tests.aliyun.emulation.emulation import Emulation, Options
from tests.aliyun.emulation.state import State
from tests.aliyun.program import Everything, stack

READS = ("Describe", "List")


@final
@dataclass
class Deployed:
    """The stack and what was seen of its runs."""

    emulation: Emulation
    program: Everything
    folder: Path
    console: Console
    steps: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def cloud(self) -> State:
        return self.emulation.cloud.state

    def run(self, what: str, environ: Mapping[str, str] | None = None, **more: Any) -> list[str]:  # noqa: ANN401
        """Run ``up``, ``preview``, ``refresh`` or ``destroy``; return the actions that were called."""
        self.steps, self.errors = [], []
        pulumi = stack(self.emulation, self.folder, self.program, environ)
        before = len(self.emulation.journal.entries())
        command: Callable[..., object] = getattr(pulumi, what)
        command(on_event=self._note, **more)
        return [entry.action for entry in self.emulation.journal.entries()[before:]]

    def settled(self) -> None:
        """Assert that another look finds nothing to change."""
        self.run("preview", refresh=True, expect_no_changes=True)

    def writes(self, actions: list[str]) -> list[str]:
        return sorted(action for action in actions if not action.startswith(READS))

    def _note(self, event: automation.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            if step.op.value not in {"same", "refresh", "read"}:
                self.steps.append((step.op.value, step.urn.split("::")[-1], tuple(step.diffs or ())))
        if event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            self.errors.append(event.diagnostic_event.message)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("road")
    with Emulation(Options(state=folder / "account")) as emulation:
        yield Deployed(
            emulation=emulation,
            program=Everything(),
            folder=folder / "pulumi",
            console=Console(emulation.environment),
        )


def only(table: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any of the state's kinds
    (found,) = table.values()
    return found


def test_everything_is_made_and_settles(deployed: Deployed) -> None:
    actions = deployed.run("up")
    assert all(getattr(deployed.cloud, table) for table in vars(deployed.cloud))
    assert len(deployed.cloud.rules) == 5
    # The plugin tags once more what it has tagged, and enables what is enabled: permissions must allow it.
    assert {"TagResources", "SetDomainRecordStatus", "UpdateDomainRecordRemark"} <= set(actions)
    assert "QueryAvailableInstances" not in actions  # the account type is known
    deployed.settled()
    assert deployed.run("up") == []


def test_names_lead_to_the_address(deployed: Deployed) -> None:
    def ask(name: str, kind: str) -> str:
        query = dns.message.make_query(name, kind)
        answer = dns.query.udp(query, "127.0.0.1", port=deployed.emulation.dns.port, timeout=10)
        return str(answer.answer[0][0].to_text())

    assert ask("matrix.example.com", "A") == only(deployed.cloud.eips).address
    assert ask("_matrix-fed._tcp.example.com", "SRV") == "10 5 8448 matrix.example.com."
    assert ask("example.com", "CAA") == '0 issue "letsencrypt.org"'


def test_descriptions_of_rules_change_in_place(deployed: Deployed) -> None:
    before = set(deployed.cloud.rules)
    deployed.program.descriptions = "second"
    deployed.run("up")
    assert {op for op, _, _ in deployed.steps} == {"update"}
    assert set(deployed.cloud.rules) == before
    assert {rule.description for rule in deployed.cloud.rules.values()} == {"second"}


def test_what_can_change_without_a_stop_does(deployed: Deployed) -> None:
    program = deployed.program
    program.data_disk_size, program.bandwidth, program.record_ttl = 50, "10", 1200
    program.time_points, program.http_tokens = ["4"], "required"
    program.tags = {"app": "matrix", "tier": "2C4G"}
    writes = deployed.writes(deployed.run("up"))
    assert {op for op, _, _ in deployed.steps} == {"update"}
    assert not {"StopInstance", "RebootInstance"} & set(writes)
    assert {"ResizeDisk", "ModifyEipAddressAttribute", "UpdateDomainRecord"} <= set(writes)
    program.tags = {"tier": "2C4G"}
    deployed.run("up")
    assert only(deployed.cloud.vpcs).tags == only(deployed.cloud.key_pairs).tags == {"tier": "2C4G"}
    deployed.settled()


@pytest.mark.parametrize(
    ("knob", "value", "write"),
    [
        ("instance_type", "ecs.e-c1m2.xlarge", "ModifyInstanceSpec"),
        ("user_data", "I2Nsb3VkLWNvbmZpZwojCg==", "ModifyInstanceAttribute"),
    ],
)
def test_a_change_that_needs_a_stop_stops_and_starts(deployed: Deployed, knob: str, value: str, write: str) -> None:
    setattr(deployed.program, knob, value)
    writes = deployed.writes(deployed.run("up"))
    assert writes == sorted([write, "StopInstance", "StartInstance"])
    assert [op for op, name, _ in deployed.steps if name == "host"] == ["update"]


def test_another_image_reinstalls_without_saying_replace(deployed: Deployed) -> None:
    """Why the image is pinned, and the data on a disk of its own: the preview shows an update of the host."""
    instance, disk = only(deployed.cloud.instances).instance_id, _data_disk(deployed.cloud)
    system_disk = next(found.disk_id for found in deployed.cloud.disks.values() if found.kind == "system")
    deployed.program.image = NEWER_IMAGE
    deployed.run("preview")
    assert ("update", "host", ("imageId",)) in deployed.steps
    actions = deployed.run("up")
    assert "ReplaceSystemDisk" in actions
    assert only(deployed.cloud.instances).instance_id == instance
    assert system_disk not in deployed.cloud.disks
    assert deployed.cloud.disks[disk].instance_id == instance
    assert only(deployed.cloud.instances).key_pair == "matrix"  # attached again: a new system disk has none
    deployed.settled()
    assert all(found.policy_id for found in deployed.cloud.disks.values())


def test_another_public_key_changes_nothing(deployed: Deployed) -> None:
    """Why the program replaces the key pair on a change: the plugin reports an update and calls nothing."""
    before = only(deployed.cloud.key_pairs)
    deployed.program.public_key += " comment"
    assert deployed.writes(deployed.run("up")) == []
    assert ("update", "key", ("publicKey",)) in deployed.steps
    assert only(deployed.cloud.key_pairs) == before


def test_what_others_changed_is_shown_and_set_right(deployed: Deployed) -> None:
    console, cloud = deployed.console, deployed.cloud
    instance, group = only(cloud.instances).instance_id, only(cloud.groups).group_id
    opened = {"SecurityGroupId": group, "IpProtocol": "tcp", "PortRange": "80/80", "SourceCidrIp": "0.0.0.0/0"}
    console.ecs("RevokeSecurityGroup", **opened)
    console.vpc("ModifyEipAddressAttribute", AllocationId=only(cloud.eips).allocation_id, Bandwidth=7)
    record = next(found for found in cloud.records.values() if found.kind == "A")
    console.dns("DeleteDomainRecord", RecordId=record.record_id)
    console.ecs("ModifyInstanceAttribute", InstanceId=instance, InstanceName="renamed")
    console.ecs("ModifyInstanceMetadataOptions", InstanceId=instance, HttpTokens="optional", HttpEndpoint="enabled")
    deployed.run("preview", refresh=True)
    assert sorted((op, name) for op, name, _ in deployed.steps) == [
        ("create", "ingress-tcp-80/80"),
        ("create", "matrix-A"),
        ("update", "address"),
        ("update", "host"),
    ]
    deployed.run("up", refresh=True)
    deployed.settled()


def test_a_rule_that_others_added_is_not_seen(deployed: Deployed) -> None:
    """The plugin looks for its own rules only: what is open besides, no preview shows."""
    extra = {"IpProtocol": "tcp", "PortRange": "22/22", "SourceCidrIp": "0.0.0.0/0"}
    group = only(deployed.cloud.groups).group_id
    deployed.console.ecs("AuthorizeSecurityGroup", SecurityGroupId=group, **extra)
    deployed.settled()
    deployed.console.ecs("RevokeSecurityGroup", SecurityGroupId=group, **extra)


def test_a_stopped_host_is_started_by_the_next_up(deployed: Deployed) -> None:
    instance = only(deployed.cloud.instances)
    deployed.console.ecs("StopInstance", InstanceId=instance.instance_id)
    _wait(lambda: deployed.emulation.cloud.shown(instance) == "Stopped")
    deployed.run("preview", refresh=True)
    shown = list(deployed.steps)
    deployed.run("up", refresh=True)
    started = deployed.emulation.cloud.shown(instance) == "Running"
    assert (bool(shown), started) == (False, False)  # status is computed: neither shown nor set right


def test_a_wrong_secret_is_an_error_and_no_loss(deployed: Deployed) -> None:
    wrong = {"ALICLOUD_SECRET_KEY": "wrong", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}
    with pytest.raises(automation.CommandError):
        deployed.run("preview", wrong, refresh=True)
    assert any("SignatureDoesNotMatch" in error for error in deployed.errors)


def test_with_an_unknown_access_key_everything_seems_gone(deployed: Deployed) -> None:
    """The API answers 404, which the plugin takes for "not found": so a refresh needs a look at the key before.

    ``refresh`` with a deleted key would empty the state.
    """
    wrong = {"ALICLOUD_ACCESS_KEY": "wrong", "ALIBABA_CLOUD_ACCESS_KEY_ID": "wrong"}
    deployed.run("preview", wrong, refresh=True)
    assert {op for op, _, _ in deployed.steps} == {"create"}
    assert len(deployed.steps) > 15


def test_without_account_type_the_account_is_asked(deployed: Deployed) -> None:
    assert "QueryAvailableInstances" in deployed.run("preview", {"ALIBABA_CLOUD_ACCOUNT_TYPE": ""}, refresh=True)


def test_everything_goes(deployed: Deployed) -> None:
    deployed.run("destroy")
    left = {table: len(rows) for table, rows in vars(deployed.cloud).items() if rows and table != "tokens"}
    assert left == {}


def _data_disk(state: State) -> str:
    return next(disk.disk_id for disk in state.disks.values() if disk.kind == "data")


def _wait(until: Callable[[], bool]) -> None:
    for _ in range(600):
        if until():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that within a minute")
