"""DescribePrice: sums that add up. The figures are the emulation's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aliyun.console import Console, refusal

HOST = {
    "ResourceType": "instance",
    "InstanceType": "ecs.e-c1m2.large",
    "ImageId": "debian_12_8_x64_20G_alibase_20250101.vhd",
    "InstanceNetworkType": "vpc",
    "SystemDisk.Category": "cloud_essd_entry",
    "SystemDisk.Size": 40,
    "DataDisk.1.Category": "cloud_essd",
    "DataDisk.1.PerformanceLevel": "PL0",
    "DataDisk.1.Size": 40,
    "PriceUnit": "Month",
    "Period": 1,
}


def price(console: Console, **changes: object) -> dict[str, Any]:
    found = console.call("ecs", "DescribePrice", HOST | changes)
    answer: dict[str, Any] = found["PriceInfo"]["Price"]
    return answer


def test_the_items_are_the_sum(console: Console) -> None:
    found = price(console)
    items = found["DetailInfos"]["DetailInfo"]
    assert [item["Resource"] for item in items] == ["instanceType", "systemDisk", "bandwidth", "dataDisk"]
    assert found["Currency"] == "CNY"
    for figure in ("OriginalPrice", "DiscountPrice", "TradePrice"):
        assert found[figure] == pytest.approx(sum(item[figure] for item in items))
    assert found["OriginalPrice"] == pytest.approx(found["TradePrice"] + found["DiscountPrice"])


def test_more_costs_more(console: Console) -> None:
    usual = price(console)["TradePrice"]
    assert price(console, InstanceType="ecs.e-c1m2.xlarge")["TradePrice"] > usual
    assert price(console, **{"DataDisk.1.Size": 100})["TradePrice"] > usual
    assert price(console, Period=2)["TradePrice"] == pytest.approx(2 * usual)
    assert price(console, PriceUnit="Hour")["DiscountPrice"] == 0


def test_a_disk_has_a_price_of_its_own(console: Console) -> None:
    alone = {
        name: value for name, value in HOST.items() if name.startswith("DataDisk") or name in {"PriceUnit", "Period"}
    }
    found = console.call("ecs", "DescribePrice", alone | {"ResourceType": "disk"})["PriceInfo"]["Price"]
    assert [item["Resource"] for item in found["DetailInfos"]["DetailInfo"]] == ["dataDisk"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"InstanceType": "ecs.nothing.large"}, "InvalidInstanceType.ValueNotSupported"),
        ({"ImageId": "old.vhd"}, "InvalidImageId.NotFound"),
        ({"SystemDisk.Category": "cloud_ssd"}, "InvalidSystemDiskCategory.ValueNotSupported"),
        ({"Period": 10}, "InvalidPeriod"),
        ({"PriceUnit": "Day"}, "InvalidPeriod"),
        ({"Currency": "CNY"}, "UnsupportedParameter"),
    ],
)
def test_what_is_not_sold_has_no_price(console: Console, changes: dict[str, object], code: str) -> None:
    assert refusal(lambda: price(console, **changes)) == code
