"""How much of the monitoring a stack has, and what shapes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from config.tiers import TierName

MonitoringLevel = Literal["off", "lite", "full"]
MONITORING_LEVELS: Final[tuple[MonitoringLevel, ...]] = get_args(MonitoringLevel)

DashboardsWay = Literal["loopback", "https"]
DASHBOARDS_WAYS: Final[tuple[DashboardsWay, ...]] = get_args(DashboardsWay)
DASHBOARDS_PATH: Final = "/_dashboards"
"""Where Nginx has the pages below it, each under its name, on a stack that shows them over HTTPS."""
DASHBOARDS_USER: Final = "admin"
"""Whom Nginx asks for the password, and the name of the account that Grafana makes at its first start."""

LEVEL_OF_TIER: Final[Mapping[TierName, MonitoringLevel]] = MappingProxyType(
    {"1C1G": "lite", "2C4G": "full", "4C8G": "full"}
)
"""What each tier has room for, and has unless something else is set."""


def usual_level(texts: Mapping[str, str]) -> MonitoringLevel | None:
    """Return the level of a stack whose config does not say it; None where its tier is not known either."""
    level = next((level for tier, level in LEVEL_OF_TIER.items() if tier == texts.get("tier")), None)
    # On the smallest tier there is no room for both.
    return "off" if level == "lite" and texts.get("turn") == "true" else level
