"""Requests are held against Alibaba's own models."""

from __future__ import annotations

import pytest

from tests.aliyun.account import Account
from tests.aliyun.console import Console, RefusedError, refusal
from tests.aliyun.emulation import models
from tests.aliyun.emulation.actions import ACTIONS, PRODUCTS
from tests.aliyun.emulation.emulation import Emulation


def test_every_action_has_a_model() -> None:
    """An action that Alibaba's SDK does not have is a spelling of ours."""
    without = [
        name
        for version, name in ACTIONS
        if PRODUCTS[version].package and models.parameters(PRODUCTS[version].package, name) is None
    ]
    assert without == []


@pytest.mark.parametrize(
    ("product", "action", "parameters"),
    [
        ("ecs", "CreateDisk", {"ZoneId": "cn-hangzhou-i", "DiskCategorie": "cloud_essd"}),
        ("ecs", "RunInstances", {"SystemDisk.Sice": "40"}),
        ("ecs", "RunInstances", {"SystemDisk": "40"}),
        ("ecs", "RunInstances", {"SystemDisk.Size.1": "40"}),
        ("ecs", "RunInstances", {"SecurityGroupIds": "sg-1"}),
        ("ecs", "RunInstances", {"Tag.first.Key": "app"}),
        ("vpc", "CreateVpc", {"cidrBlock": "10.0.0.0/8"}),
        ("alidns", "AddDomainRecord", {"DomainName": "example.com", "Weight": "1"}),
    ],
)
def test_an_unknown_parameter_is_refused(
    console: Console, product: str, action: str, parameters: dict[str, str]
) -> None:
    assert refusal(lambda: console.call(product, action, parameters)) == "UnsupportedParameter"


@pytest.mark.parametrize(
    ("product", "action", "parameters", "name"),
    [
        ("ecs", "AttachDisk", {"DiskId": "d-1"}, "InstanceId"),
        ("ecs", "CreateAutoSnapshotPolicy", {"regionId": "cn-hangzhou"}, "repeatWeekdays"),
        ("ecs", "RunInstances", {"InstanceType": "ecs.e-c1m2.large"}, "ImageId"),
        ("vpc", "CreateVSwitch", {"VpcId": "vpc-1"}, "ZoneId"),
        ("vpc", "TagResources", {"ResourceType": "VPC", "ResourceId.1": "vpc-1"}, "Tag"),
        ("alidns", "AddDomainRecord", {"DomainName": "example.com", "RR": "@", "Type": "A"}, "Value"),
        ("alidns", "DeleteDomainRecord", {}, "RecordId"),
    ],
)
def test_a_missing_parameter_is_named(
    console: Console, product: str, action: str, parameters: dict[str, str], name: str
) -> None:
    with pytest.raises(RefusedError, match=name) as error:
        console.call(product, action, parameters)
    assert error.value.code == (f"Missing{name}" if product == "alidns" else "MissingParameter")


@pytest.mark.parametrize(("name", "value"), [("Size", "forty"), ("Encrypted", "yes"), ("MultiAttach", None)])
def test_a_value_of_the_wrong_type_is_refused(console: Console, name: str, value: str | None) -> None:
    asked = {"ZoneId": "cn-hangzhou-i", "DiskCategory": "cloud_efficiency", name: value or "Disabled"}
    if value is None:  # text is free: the same call goes through
        assert console.call("ecs", "CreateDisk", asked)["DiskId"]
    else:
        assert refusal(lambda: console.call("ecs", "CreateDisk", asked)) == "InvalidParameter"


def test_lists_in_json_must_be_lists(console: Console) -> None:
    for text in ("d-1", '"d-1"', "[1]"):
        assert refusal(lambda text=text: console.ecs("DescribeDisks", DiskIds=text)) == "InvalidParameter"  # type: ignore[misc]


def test_an_unknown_action_is_refused(console: Console) -> None:
    with pytest.raises(RefusedError) as error:
        console.ecs("MakeCoffee")
    assert (error.value.status, error.value.code) == (404, "InvalidAction.NotFound")


def test_another_region_does_not_exist(console: Console) -> None:
    assert refusal(lambda: console.ecs("DescribeDisks", RegionId="cn-beijing")) == "InvalidRegionId.NotFound"


def test_user_data_is_base64_and_no_larger_than_allowed(account: Account) -> None:
    assert refusal(lambda: account.run(UserData="#cloud-config")) == "InvalidParameter"
    assert refusal(lambda: account.run(UserData="QUFB" * 11_000)) == "InvalidUserData.SizeExceeded"


def test_the_journal_has_names_and_no_values(emulation: Emulation, account: Account) -> None:
    account.run(UserData="c2VjcmV0")
    entry = next(found for found in emulation.journal.entries() if found.action == "RunInstances")
    assert {"UserData", "KeyPairName", "SystemDisk.Category"} <= set(entry.parameters)
    assert "c2VjcmV0" not in repr(entry)
    assert "c2VjcmV0" not in (emulation.certificates.ca.parent.parent / "journal.jsonl").read_text()
