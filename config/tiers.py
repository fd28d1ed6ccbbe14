"""The tiers: how large a machine is, and how much of it each container may use.

A tier is a promise that it fits: the memory limits of all containers plus the reserve add up to no more than the
machine (tests/unit/test_tiers.py holds every combination of settings against that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NewType, final, get_args

Mebibytes = NewType("Mebibytes", int)
TierName = Literal["1C1G", "2C4G", "4C8G"]
ServiceName = Literal["homeserver", "nginx", "redis", "acme", "one-shot"]

TIER_NAMES: Final[tuple[TierName, ...]] = get_args(TierName)

ONE_SHOTS: Final = 6
"""How many one-shot containers (seeds and the like) may run at the same time: one for each service and the probe."""


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one container may use: memory as a hard limit without swap, processor time in cores."""

    memory: Mebibytes
    cpus: float


@final
@dataclass(frozen=True, kw_only=True)
class Tier:
    """One size of machine and how it is shared out."""

    name: TierName
    cpus: int
    memory: Mebibytes
    reserve: Mebibytes
    """For the system, dockerd (99 MiB resident), containerd (47) and 13 for the shim of each container."""
    budgets: Mapping[ServiceName, Budget]
    redis_data: Mebibytes
    """Redis' ``maxmemory``: below its container's limit, because rewriting the append-only file copies pages."""
    conduit_cache: Mebibytes
    """Conduit's ``db_cache_capacity_mb``."""
    conduit_cache_modifier: float
    """Conduit's ``conduit_cache_capacity_modifier``."""
    synapse_cache_factor: float
    """Synapse's ``caches.global_factor``."""
    dendrite_cache: Mebibytes
    """Dendrite's ``global.cache.max_size_estimated``; its own default is 1 GiB."""
    instance_type: str
    """What hosts the tier on Aliyun unless something else is set.

    Nothing with 1 vCPU and 1 GiB is sold for less than the smallest type of family e, which has twice that.
    """
    article_price: int
    """CNY a month, as the article has it that this project began with."""
    data_disk_gib: int
    """Data disk on Aliyun unless something else is set, in GiB: images (3), containers and all data."""


def _budgets(
    homeserver: Budget, nginx: Budget, redis: Budget, acme: Budget, one_shot: Budget
) -> Mapping[ServiceName, Budget]:
    return MappingProxyType(
        {"homeserver": homeserver, "nginx": nginx, "redis": redis, "acme": acme, "one-shot": one_shot}
    )


def _budget(memory: int, cpus: float) -> Budget:
    return Budget(memory=Mebibytes(memory), cpus=cpus)


TIERS: Final[Mapping[TierName, Tier]] = MappingProxyType(
    {
        "1C1G": Tier(
            name="1C1G",
            cpus=1,
            memory=Mebibytes(1024),
            reserve=Mebibytes(320),
            budgets=_budgets(_budget(384, 1.0), _budget(48, 0.5), _budget(48, 0.5), _budget(24, 0.5), _budget(32, 0.5)),
            redis_data=Mebibytes(24),
            conduit_cache=Mebibytes(64),
            conduit_cache_modifier=0.5,
            synapse_cache_factor=0.25,
            dendrite_cache=Mebibytes(64),
            instance_type="ecs.e-c1m1.large",
            article_price=60,
            data_disk_gib=20,
        ),
        "2C4G": Tier(
            name="2C4G",
            cpus=2,
            memory=Mebibytes(4096),
            reserve=Mebibytes(640),
            budgets=_budgets(
                _budget(1536, 2.0), _budget(128, 1.0), _budget(256, 1.0), _budget(48, 0.5), _budget(64, 1.0)
            ),
            redis_data=Mebibytes(128),
            conduit_cache=Mebibytes(300),
            conduit_cache_modifier=1.0,
            synapse_cache_factor=0.5,
            dendrite_cache=Mebibytes(300),
            instance_type="ecs.e-c1m2.large",
            article_price=120,
            data_disk_gib=40,
        ),
        "4C8G": Tier(
            name="4C8G",
            cpus=4,
            memory=Mebibytes(8192),
            reserve=Mebibytes(1024),
            budgets=_budgets(
                _budget(4096, 4.0), _budget(256, 2.0), _budget(448, 1.0), _budget(64, 0.5), _budget(64, 1.0)
            ),
            redis_data=Mebibytes(256),
            conduit_cache=Mebibytes(1024),
            conduit_cache_modifier=2.0,
            synapse_cache_factor=1.0,
            dendrite_cache=Mebibytes(1024),
            instance_type="ecs.u1-c1m2.xlarge",
            article_price=300,
            data_disk_gib=100,
        ),
    },
)
