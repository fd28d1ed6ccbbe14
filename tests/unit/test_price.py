"""`make price`: what is asked, and what is said with and without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from alibabacloud_ecs20140526.models import DescribePriceRequest

from config.cloud import CloudSettings
from ops.aliyun_api import has_credentials
from ops.price import HOURLY, MONTHLY, price_request, quote, render
from tests.samples import cloud_settings


def cloud(**keys: str) -> CloudSettings:
    found = cloud_settings(**keys).cloud
    assert found
    return found


def answer(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    per_gibibyte = 0.002 if parameters["PriceUnit"] == HOURLY else 1
    return {
        "Currency": "CNY",
        "DetailInfos": {
            "DetailInfo": [
                {"Resource": "instanceType", "TradePrice": 0.1 if parameters["PriceUnit"] == HOURLY else 50},
                {"Resource": "systemDisk", "TradePrice": parameters["SystemDisk"]["Size"] * per_gibibyte},
                {"Resource": "dataDisk", "TradePrice": parameters["DataDisk"][0]["Size"] * per_gibibyte},
                {"Resource": "bandwidth", "TradePrice": 0},
            ]
        },
    }


def test_what_is_asked_is_what_the_api_takes() -> None:
    parameters = price_request(cloud(), MONTHLY)
    # The vendor's model drops what it does not know.
    taken = DescribePriceRequest().from_map(dict(parameters)).to_map()
    assert {name: value for name, value in taken.items() if value} == parameters


def test_the_disks_are_asked_as_they_are_declared() -> None:
    parameters = price_request(cloud(dataDiskSize="80"), HOURLY)
    assert parameters["SystemDisk"] == {"Category": "cloud_essd", "Size": 40, "PerformanceLevel": "PL0"}
    assert parameters["DataDisk"] == [{"Category": "cloud_essd", "Size": 80, "PerformanceLevel": "PL0"}]
    old = price_request(cloud(instanceType="ecs.t5-c1m2.large", diskCategory="cloud_ssd"), HOURLY)
    assert "PerformanceLevel" not in old["SystemDisk"]


def test_an_hours_price_is_told_by_the_month() -> None:
    assert quote(answer, cloud(), HOURLY).total == pytest.approx((0.1 + 80 * 0.002) * 730)
    assert quote(answer, cloud(), MONTHLY).total == pytest.approx(50 + 80)


def test_with_an_answer_its_items_and_what_it_lacks_are_shown() -> None:
    text = render(cloud_settings(), quote(answer, cloud(), HOURLY), quote(answer, cloud(), MONTHLY))
    assert "asked of the API" in text
    assert "189.80" in text
    assert "130.00" in text
    assert "traffic" in text.split("What the API does not price:")[1]
    assert "bandwidth" not in text
    assert "the article 120" in text


def test_without_an_answer_the_table_is_shown_with_its_gaps() -> None:
    text = render(cloud_settings(), None, None)
    assert "asked of the API" not in text
    assert "?" in text
    assert "It knows no price, or only one bound, of: host, systemDisk, dataDisk, traffic." in text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"ALICLOUD_ACCESS_KEY": "id"}, False),
        ({"ALICLOUD_ACCESS_KEY": "id", "ALICLOUD_SECRET_KEY": ""}, False),
        ({"ALICLOUD_ACCESS_KEY": "id", "ALICLOUD_SECRET_KEY": "secret"}, True),
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}, True),
    ],
)
def test_credentials_are_those_that_the_plugin_reads(environment: Mapping[str, str], *, expected: bool) -> None:
    assert has_credentials(environment) is expected
