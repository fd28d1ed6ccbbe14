"""Which changes two previews show, and how they are told in a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from config.costs import monthly_cost
from ops.changes import Change, changes_between, changes_of_preview
from ops.plugin import UNKNOWN
from ops.preview_summary import render_summary
from tests.samples import cloud_settings, settings

PREFIX = "urn:pulumi:dev::matrix::matrix:aliyun:Cloud$"
DISK = f"{PREFIX}alicloud:ecs/ecsDisk:EcsDisk::data"
HOST = f"{PREFIX}alicloud:ecs/instance:Instance::host"
LINK = f"{PREFIX}alicloud:ecs/eipAssociation:EipAssociation::link"


def step(urn: str, inputs: Mapping[str, Any], **state: Any) -> Mapping[str, Any]:  # noqa: ANN401 (JSON)
    return {"op": "create", "urn": urn, "newState": {"urn": urn, "custom": True, "inputs": inputs, **state}}


def nothing_forces(_urn: str, _before: Mapping[str, Any], _after: Mapping[str, Any]) -> Iterable[str]:
    return ()


def zone_forces(_urn: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    return [key for key in ("zoneId", "instanceId") if before.get(key) != after.get(key)]


def test_equal_previews_show_nothing() -> None:
    steps = [step(DISK, {"size": 20, "zoneId": "a"})]
    assert changes_between(steps, steps, zone_forces) == []


def test_what_is_new_and_what_is_gone() -> None:
    found = changes_between([step(DISK, {})], [step(HOST, {})], nothing_forces)
    assert [(each.kind, each.name, each.type) for each in found] == [
        ("create", "host", "alicloud:ecs/instance:Instance"),
        ("delete", "data", "alicloud:ecs/ecsDisk:EcsDisk"),
    ]


def test_a_change_is_an_update_unless_the_plugin_says_otherwise() -> None:
    before = [step(DISK, {"size": 20, "zoneId": "a"})]
    (update,) = changes_between(before, [step(DISK, {"size": 40, "zoneId": "a"})], zone_forces)
    assert (update.kind, update.properties) == ("update", ("size",))
    (replace,) = changes_between(before, [step(DISK, {"size": 40, "zoneId": "b"})], zone_forces)
    assert (replace.kind, replace.properties) == ("replace", ("size", "zoneId"))


def test_what_the_program_forces_is_a_replacement_too() -> None:
    before, after = step(DISK, {"mounts": 1}), step(DISK, {"mounts": 2}, replaceOnChanges=["mounts"])
    (change,) = changes_between([before], [after], nothing_forces)
    assert change.kind == "replace"


def test_what_hangs_on_a_replaced_resource_is_replaced_with_it() -> None:
    link = step(LINK, {"instanceId": UNKNOWN}, propertyDependencies={"instanceId": [HOST]})
    before = [step(HOST, {"zoneId": "a"}), link]
    found = changes_between(before, [step(HOST, {"zoneId": "b"}), link], zone_forces)
    assert [(each.kind, each.name, each.properties) for each in found] == [
        ("replace", "host", ("zoneId",)),
        ("replace", "link", ("instanceId",)),
    ]
    found = changes_between(before, [step(HOST, {"zoneId": "a", "name": "new"}), link], zone_forces)
    assert [each.name for each in found] == ["host"]


def test_what_the_program_ignores_is_no_change() -> None:
    before, after = step(HOST, {"imageId": "a"}), step(HOST, {"imageId": "b"}, ignoreChanges=["imageId"])
    assert changes_between([before], [after], zone_forces) == []


def test_a_protection_that_is_taken_away_shows() -> None:
    found = changes_between([step(DISK, {}, protect=True)], [step(DISK, {})], nothing_forces)
    assert [(each.kind, each.properties) for each in found] == [("update", ("protect",))]


def test_what_pulumi_will_refuse_is_marked() -> None:
    found = changes_between([step(DISK, {"zoneId": "a"}, protect=True)], [step(DISK, {"zoneId": "b"})], zone_forces)
    assert [(each.kind, each.protected) for each in found] == [("replace", True)]
    assert "Pulumi refuses" in summary(found)


def test_components_do_not_count() -> None:
    component = {"op": "create", "urn": HOST, "newState": {"urn": HOST, "custom": False}}
    assert changes_between([], [component], nothing_forces) == []


def test_the_steps_of_a_replacement_are_one_change() -> None:
    state = {"custom": True}
    found = changes_of_preview(
        [
            {"op": "same", "urn": DISK, "newState": state, "oldState": state},
            {"op": "create-replacement", "urn": HOST, "newState": state, "oldState": state},
            {"op": "replace", "urn": HOST, "newState": state, "oldState": state, "replaceReasons": ["zoneId"]},
            {"op": "delete-replaced", "urn": HOST, "oldState": state},
            {"op": "update", "urn": LINK, "newState": state, "oldState": state, "diffReasons": ["mode"]},
        ]
    )
    assert [(each.kind, each.name, each.properties) for each in found] == [
        ("replace", "host", ("zoneId",)),
        ("update", "link", ("mode",)),
    ]


def summary(changes: list[Change], **keys: str) -> str:
    return render_summary(
        "dev",
        changes,
        against="`main`",
        before=monthly_cost(cloud_settings()),
        after=monthly_cost(cloud_settings(**keys)),
    )


def test_the_summary_counts_and_begins_with_what_takes_something_away() -> None:
    text = summary(
        [
            Change(kind="create", type="t", name="new"),
            Change(kind="replace", type="t", name="other", properties=("zoneId",)),
        ]
    )
    assert "Compared with `main`: 1 replaced, 1 created." in text
    assert text.index("Replaced") < text.index("Created")
    assert "- `other` (t): `zoneId`" in text


def test_the_summary_says_when_nothing_changes() -> None:
    text = summary([])
    assert "no resource changes" in text
    assert "It does not change." in text


def test_the_summary_tells_the_change_of_the_cost() -> None:
    text = summary([], dataDiskSize="140")
    assert "It was 0.00 to" in text
    assert "a change of +0.00 to +165.30" in text
    assert "the article says 120" in text
    assert "Without a price" in text


def test_the_summary_says_when_the_cost_of_before_is_not_known() -> None:
    text = render_summary("dev", [], against="nothing", before=None, after=monthly_cost(cloud_settings()))
    assert "What it was before is not known." in text
    local = render_summary("local", [], against="nothing", before=None, after=monthly_cost(settings()))
    assert "none, on a machine of one's own" in local


def test_many_properties_are_cut_short() -> None:
    change = Change(kind="update", type="t", name="n", properties=tuple(f"p{index}" for index in range(9)))
    assert "`p5` and 3 more" in summary([change])
