"""Tiers: the promise that everything fits. tests/contract/test_budget.py holds what is declared against it."""

from __future__ import annotations

import pytest

from config.tiers import TIER_NAMES, TIERS, TierName


@pytest.mark.parametrize("name", TIER_NAMES)
def test_no_container_may_use_more_processors_than_there_are(name: TierName) -> None:
    tier = TIERS[name]
    assert all(0 < budget.cpus <= tier.cpus for budget in tier.budgets.values())


@pytest.mark.parametrize("name", TIER_NAMES)
def test_redis_can_rewrite_its_file_within_its_limit(name: TierName) -> None:
    tier = TIERS[name]
    assert tier.redis_data * 3 / 2 + 8 <= tier.budgets["redis"].memory


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_monitoring_takes_nothing_from_a_homeserver_that_is_not_monitored(name: TierName) -> None:
    tier = TIERS[name]
    budget = tier.budgets["homeserver"]
    assert tier.homeserver(monitored=False, calls=False) == budget
    assert tier.homeserver(monitored=True, calls=False).memory == tier.monitored_homeserver <= budget.memory
    assert tier.homeserver(monitored=False, calls=True).memory == tier.calling_homeserver <= budget.memory


@pytest.mark.parametrize("name", TIER_NAMES)
def test_metrics_leave_most_of_the_disk_to_conversations(name: TierName) -> None:
    tier = TIERS[name]
    assert tier.metrics_size <= tier.data_disk_gib * 1024 / 10


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_name_says_the_size(name: TierName) -> None:
    tier = TIERS[name]
    assert name == f"{tier.cpus}C{tier.memory // 1024}G" == tier.name
