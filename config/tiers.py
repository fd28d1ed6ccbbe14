"""The tiers: how large a machine is, and how much of it each container may use.

A tier is a promise that it fits: the memory limits of all containers plus the reserve add up to no more than the
machine (tests/unit/test_tiers.py holds every combination of settings against that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, NewType, final, get_args

Mebibytes = NewType("Mebibytes", int)
TierName = Literal["1C1G", "2C4G", "4C8G"]
ServiceName = Literal[
    "homeserver",
    "nginx",
    "redis",
    "acme",
    "coturn",
    "one-shot",
    "registrar",
    "prometheus",
    "node-exporter",
    "blackbox-exporter",
    "alertmanager",
    "alert-relay",
    "cadvisor",
    "mtail",
    "redis-exporter",
    "facts",
    "canary",
    "grafana",
]

TIER_NAMES: Final[tuple[TierName, ...]] = get_args(TierName)

SEEDS_AT_ONCE: Final = 2
"""How many seeds may run at the same time. The rest wait: each has a memory limit, and on a small machine not all of
them fit beside the services."""
ONE_SHOTS: Final = SEEDS_AT_ONCE + 1
"""How many one-shot containers may run at the same time: seeds, and what makes Synapse's registration token known."""


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
    """What each container may use. A service that the tier has no room for is not in it."""
    monitored_homeserver: Mebibytes
    """The homeserver's memory on a machine that the monitoring runs on too."""
    calling_homeserver: Mebibytes
    """The same where a TURN server runs beside it."""
    turn_ports: int
    """How many relay ports there is memory for: each published port has a process of the Docker engine behind it."""
    metrics_days: int
    """How long Prometheus keeps what it has measured, unless ``metrics_size`` is reached before."""
    metrics_size: Mebibytes
    """How much of the disk that may take."""
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

    def homeserver(self, *, monitored: bool, calls: bool) -> Budget:
        """Return what the homeserver may use."""
        budget = self.budgets["homeserver"]
        monitored_memory = self.monitored_homeserver if monitored else budget.memory
        calling_memory = self.calling_homeserver if calls else budget.memory
        return replace(budget, memory=min(monitored_memory, calling_memory))


def _budgets(budgets: Mapping[ServiceName, tuple[int, float]]) -> Mapping[ServiceName, Budget]:
    return MappingProxyType(
        {name: Budget(memory=Mebibytes(memory), cpus=cpus) for name, (memory, cpus) in budgets.items()}
    )


TIERS: Final[Mapping[TierName, Tier]] = MappingProxyType(
    {
        "1C1G": Tier(
            name="1C1G",
            cpus=1,
            memory=Mebibytes(1024),
            reserve=Mebibytes(408),
            budgets=_budgets(
                {
                    "homeserver": (384, 1.0),
                    "nginx": (48, 0.5),
                    "redis": (40, 0.5),
                    "acme": (24, 0.5),
                    "coturn": (24, 0.5),
                    "one-shot": (16, 0.5),
                    "registrar": (32, 0.5),
                    "prometheus": (96, 0.5),
                    "node-exporter": (24, 0.25),
                    "blackbox-exporter": (24, 0.25),
                    "alertmanager": (40, 0.25),
                    "alert-relay": (24, 0.25),
                }
            ),
            monitored_homeserver=Mebibytes(232),
            calling_homeserver=Mebibytes(352),
            turn_ports=14,
            metrics_days=7,
            metrics_size=Mebibytes(256),
            redis_data=Mebibytes(20),
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
                {
                    "homeserver": (1536, 2.0),
                    "nginx": (128, 1.0),
                    "redis": (256, 1.0),
                    "acme": (48, 0.5),
                    "coturn": (64, 1.0),
                    "one-shot": (64, 1.0),
                    "registrar": (64, 1.0),
                    "prometheus": (256, 1.0),
                    "node-exporter": (48, 0.5),
                    "blackbox-exporter": (48, 0.5),
                    "alertmanager": (64, 0.5),
                    "alert-relay": (48, 0.5),
                    "cadvisor": (96, 0.5),
                    "mtail": (48, 0.5),
                    "redis-exporter": (32, 0.25),
                    "facts": (48, 0.25),
                    "canary": (48, 0.25),
                    "grafana": (320, 1.0),
                }
            ),
            monitored_homeserver=Mebibytes(1536),
            calling_homeserver=Mebibytes(1536),
            turn_ports=40,
            metrics_days=15,
            metrics_size=Mebibytes(1024),
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
                {
                    "homeserver": (4096, 4.0),
                    "nginx": (256, 2.0),
                    "redis": (448, 1.0),
                    "acme": (64, 0.5),
                    "coturn": (64, 1.0),
                    "one-shot": (64, 1.0),
                    "registrar": (64, 1.0),
                    "prometheus": (512, 1.0),
                    "node-exporter": (48, 0.5),
                    "blackbox-exporter": (64, 0.5),
                    "alertmanager": (64, 0.5),
                    "alert-relay": (48, 0.5),
                    "cadvisor": (96, 0.5),
                    "mtail": (48, 0.5),
                    "redis-exporter": (32, 0.25),
                    "facts": (48, 0.25),
                    "canary": (48, 0.25),
                    "grafana": (384, 1.0),
                }
            ),
            monitored_homeserver=Mebibytes(4096),
            calling_homeserver=Mebibytes(4096),
            turn_ports=100,
            metrics_days=30,
            metrics_size=Mebibytes(4096),
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
