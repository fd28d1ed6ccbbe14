"""What a stack costs a month, item by item, from the table in config/prices.py."""

from __future__ import annotations

from typing import TypedDict

from config.prices import AS_OF, CURRENCY, DISKS, DNS, HOSTS, NO_PRICE, SNAPSHOT, TRAFFIC, Price
from config.settings import Settings
from config.tiers import TIERS


class CostItem(TypedDict):
    """One thing that costs. A bound that no source gives is null."""

    name: str
    what: str
    low: float | None
    high: float | None
    source: str


class MonthlyCost(TypedDict):
    """What a stack costs a month. A stack on a machine of one's own costs nothing.

    ``low`` and ``high`` add up what is known; ``unknown`` names the items of which a bound is missing, so that the
    true sum may lie outside. ``article`` is what the article that this project began with says.
    """

    currency: str
    low: float
    high: float
    asOf: str
    article: float
    unknown: list[str]
    items: list[CostItem]


def monthly_cost(settings: Settings) -> MonthlyCost:
    """Return what a stack costs a month."""
    items = _items(settings)
    return {
        "currency": CURRENCY,
        "low": round(sum(each["low"] or 0 for each in items), 2),
        "high": round(sum(each["high"] or 0 for each in items), 2),
        "asOf": AS_OF if items else "",
        "article": TIERS[settings.tier].article_price if items else 0,
        "unknown": [each["name"] for each in items if each["low"] is None or each["high"] is None],
        "items": items,
    }


def _items(settings: Settings) -> list[CostItem]:
    cloud = settings.cloud
    if cloud is None:
        return []
    disk = DISKS.get(cloud.disk_category, NO_PRICE)
    sizes = cloud.system_disk_size + cloud.data_disk_size
    return [
        _item("host", cloud.instance_type, HOSTS.get(cloud.instance_type, NO_PRICE)),
        _item("systemDisk", f"{cloud.system_disk_size} GiB {cloud.disk_category}", disk.times(cloud.system_disk_size)),
        _item("dataDisk", f"{cloud.data_disk_size} GiB {cloud.disk_category}", disk.times(cloud.data_disk_size)),
        _item("snapshots", f"{cloud.snapshot_retention} days of both disks", SNAPSHOT.times(sizes)),
        _item("traffic", f"at most {cloud.bandwidth} Mbit/s", TRAFFIC),
        *([_item("dns", cloud.dns_domain, DNS)] if cloud.dns_domain else []),
    ]


def _item(name: str, what: str, price: Price) -> CostItem:
    return {"name": name, "what": what, "low": _cents(price.low), "high": _cents(price.high), "source": price.source}


def _cents(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)
