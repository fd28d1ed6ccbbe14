"""Tiers: the promise that everything fits."""

from __future__ import annotations

import pytest

from config.tiers import ONE_SHOTS, TIER_NAMES, TIERS, TierName

SYSTEM = 100
DOCKER = 99 + 47
SHIM = 13


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_limits_of_all_containers_and_the_reserve_fit_the_machine(name: TierName) -> None:
    tier = TIERS[name]
    services = sum(budget.memory for service, budget in tier.budgets.items() if service != "one-shot")
    assert services + ONE_SHOTS * tier.budgets["one-shot"].memory + tier.reserve <= tier.memory


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_reserve_covers_the_system_and_the_docker_engine(name: TierName) -> None:
    containers = len(TIERS[name].budgets) - 1
    assert TIERS[name].reserve >= SYSTEM + DOCKER + containers * SHIM


@pytest.mark.parametrize("name", TIER_NAMES)
def test_no_container_may_use_more_processors_than_there_are(name: TierName) -> None:
    tier = TIERS[name]
    assert all(0 < budget.cpus <= tier.cpus for budget in tier.budgets.values())


@pytest.mark.parametrize("name", TIER_NAMES)
def test_redis_can_rewrite_its_file_within_its_limit(name: TierName) -> None:
    tier = TIERS[name]
    assert tier.redis_data * 3 / 2 + 8 <= tier.budgets["redis"].memory


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_name_says_the_size(name: TierName) -> None:
    tier = TIERS[name]
    assert name == f"{tier.cpus}C{tier.memory // 1024}G" == tier.name
