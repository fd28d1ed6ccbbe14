"""Costs: they add up, and what is not known is said."""

from __future__ import annotations

import datetime as dt

import pytest

from config.costs import monthly_cost
from config.prices import AS_OF, DISKS, DNS, HOSTS, SNAPSHOT, TRAFFIC
from config.tiers import TIERS
from tests.samples import cloud_settings, settings


def test_a_machine_of_ones_own_costs_nothing() -> None:
    cost = monthly_cost(settings())
    assert (cost["low"], cost["high"], cost["article"]) == (0, 0, 0)
    assert not cost["items"]
    assert not cost["unknown"]


@pytest.mark.parametrize("tier", sorted(TIERS))
def test_the_sum_is_that_of_its_items(tier: str) -> None:
    cost = monthly_cost(cloud_settings(tier=tier))
    assert cost["low"] == pytest.approx(sum(each["low"] or 0 for each in cost["items"]), abs=0.01)
    assert cost["high"] == pytest.approx(sum(each["high"] or 0 for each in cost["items"]), abs=0.01)
    assert 0 <= cost["low"] <= cost["high"]
    assert cost["asOf"] == AS_OF


@pytest.mark.parametrize(("tier", "article"), [("1C1G", 60), ("2C4G", 120), ("4C8G", 300)])
def test_the_articles_price_stands_beside_it(tier: str, article: int) -> None:
    assert monthly_cost(cloud_settings(tier=tier))["article"] == article


def test_a_larger_disk_costs_more() -> None:
    small, large = (monthly_cost(cloud_settings(dataDiskSize=size)) for size in ("40", "400"))
    assert large["high"] - small["high"] == pytest.approx(360 * (0.042 / 20 * 730 + 0.12), abs=0.02)


def test_what_no_source_gives_is_said_and_not_guessed() -> None:
    cost = monthly_cost(cloud_settings(instanceType="ecs.t6-c1m2.large", diskCategory="cloud_auto"))
    assert cost["unknown"] == ["host", "systemDisk", "dataDisk", "traffic"]
    (host,) = [each for each in cost["items"] if each["name"] == "host"]
    assert (host["low"], host["high"]) == (None, None)
    assert host["source"] == "no source found"


def test_records_cost_only_where_some_are_made() -> None:
    assert "dns" in {each["name"] for each in monthly_cost(cloud_settings())["items"]}
    assert "dns" not in {each["name"] for each in monthly_cost(cloud_settings(dnsDomain=""))["items"]}


def test_every_price_has_a_source_and_bounds_in_order() -> None:
    for price in [*HOSTS.values(), *DISKS.values(), DNS, SNAPSHOT, TRAFFIC]:
        assert len(price.source) > 10
        assert price.low is not None or price.high is not None
        if price.low is not None and price.high is not None:
            assert 0 <= price.low <= price.high


def test_the_usual_type_of_every_tier_has_a_price() -> None:
    assert {tier.instance_type for tier in TIERS.values()} <= set(HOSTS)


def test_the_table_is_dated() -> None:
    assert dt.date.fromisoformat(AS_OF) >= dt.date(2026, 11, 1)
