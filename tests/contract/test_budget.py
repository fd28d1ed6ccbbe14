"""What a tier promises: the memory limits of all containers, Docker itself and the system fit the machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from config.homeservers import HOMESERVERS
from config.monitoring import LEVEL_OF_TIER
from config.tiers import ONE_SHOTS, SEEDS_AT_ONCE, TIER_NAMES, TIERS, TierName
from tests.contract.test_program import CONTAINER, one_shots, services
from tests.recording import Recording, record
from tests.samples import LOCAL, SECRETS

SYSTEM = 100
"""MiB: a Debian without anything else."""
DOCKER = 99 + 47
"""MiB resident: dockerd and containerd."""
PROXY = 4
"""MiB resident: the process of the Docker engine behind each port of a TURN server."""
SHIM = 13
"""MiB resident: the process that stands between containerd and each running container."""


ACME = {"certificates": "acme-http", "acmeDirectory": "https://ca.example.com/directory"}
"""One container more than with the stack's own CA."""


def combinations() -> Iterator[tuple[TierName, str, str, str, str]]:
    for tier, homeserver, redis in itertools.product(TIER_NAMES, HOMESERVERS, ("true", "false")):
        for level in {"off", "lite", LEVEL_OF_TIER[tier]}:
            yield tier, homeserver, redis, level, "false"
            if tier != "1C1G" or level == "off":
                yield tier, homeserver, redis, level, "true"


@pytest.mark.parametrize(("tier", "homeserver", "redis", "level", "turn"), sorted(combinations()))
def test_everything_fits_the_machine(tier: TierName, homeserver: str, redis: str, level: str, turn: str) -> None:
    stack = {**LOCAL, **ACME, "tier": tier, "homeserver": homeserver, "redis": redis, "monitoring": level, "turn": turn}
    recording = record(stack if level == "off" else {**stack, "alerts": "wecom"}, SECRETS)
    running = {each.name: int(each.inputs["memory"]) for each in services(recording)}
    # As many one-shots as may run at the same time, the largest of them.
    short = sorted((int(each.inputs["memory"]) for each in one_shots(recording)), reverse=True)[:ONE_SHOTS]
    reserve = TIERS[tier].reserve
    relayed = len(next((each.inputs["ports"] for each in services(recording) if each.name == "coturn"), ()))
    assert sum(running.values()) + sum(short) + PROXY * relayed + reserve <= TIERS[tier].memory
    assert SYSTEM + DOCKER + SHIM * (len(running) + len(short)) <= reserve


@pytest.mark.parametrize("level", ["off", "lite", "full"])
def test_no_more_seeds_run_at_once_than_is_reckoned_with(level: str) -> None:
    recording = record({**LOCAL, "tier": "2C4G", "homeserver": "synapse", "monitoring": level}, SECRETS)
    seeds = [each.urn for each in one_shots(recording) if each.name.endswith("-seed")]
    assert len(seeds) > 2 * SEEDS_AT_ONCE
    before = {urn: _seeds_before(recording, urn) for urn in seeds}
    # Those that neither wait for each other may run at the same time.
    for together in itertools.combinations(seeds, SEEDS_AT_ONCE + 1):
        assert any(one in before[other] for one, other in itertools.permutations(together, 2)), together


def _seeds_before(recording: Recording, urn: str) -> set[str]:
    found: set[str] = set()
    waiting = [urn]
    while waiting:
        for each in recording.registrations[waiting.pop()].dependencies - found:
            if each in recording.registrations and recording.registrations[each].type == CONTAINER:
                found.add(each)
                waiting.append(each)
    return found
