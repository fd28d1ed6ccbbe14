"""What things cost on Aliyun in mainland China, as far as could be found in November 2026, and where it is said.

No list of Aliyun's prices was reachable when this table was made, so it has bounds: the cheapest offer that a source
gives for a thing, and the dearest. None: no source says anything. `make price` asks the API, which knows what an
account pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from config.instance_types import DiskCategory

AS_OF: Final = "2026-11-25"
CURRENCY: Final = "CNY"
HOURS_A_MONTH: Final = 730


@final
@dataclass(frozen=True, kw_only=True)
class Price:
    """Bounds in CNY a month, and their sources."""

    low: float | None
    high: float | None
    source: str

    def times(self, amount: float) -> Price:
        """Return the price of more than one."""
        return Price(
            low=None if self.low is None else self.low * amount,
            high=None if self.high is None else self.high * amount,
            source=self.source,
        )


def _a_year(price: float) -> float:
    return price / 12


def _an_hour(price: float) -> float:
    return price * HOURS_A_MONTH


_SMALL_E: Final = (
    "99 a year with a 40 GiB ESSD Entry disk and 3 Mbit/s, a subscription until 2027-03-31 (Aliyun developer articles "
    "1712511, 1725698)"
)
_SINGAPORE: Final = "by the hour about 20 USD a month in Singapore for ecs.e-c1m2.large (third party)"

HOSTS: Final[Mapping[str, Price]] = MappingProxyType(
    {
        "ecs.e-c1m1.large": Price(low=_a_year(99), high=145, source=f"{_SMALL_E}; twice its size {_SINGAPORE}"),
        "ecs.e-c1m2.large": Price(low=None, high=145, source=_SINGAPORE),
        "ecs.u1-c1m2.large": Price(
            low=_a_year(199),
            high=None,
            source="199 a year with disk and 5 Mbit/s, a subscription for enterprises (the same articles)",
        ),
        "ecs.u1-c1m2.xlarge": Price(low=150, high=300, source="by the hour 5 to 10 a day (third parties)"),
        "ecs.c7.large": Price(
            low=_a_year(1611),
            high=_a_year(1611 / 0.68),
            source="1611 a year with 3 Mbit/s, at 32 % off (Aliyun article)",
        ),
        "ecs.t5-lc2m1.nano": Price(
            low=_an_hour(0.080),
            high=_an_hour(0.083),
            source="by the hour with a 40 GiB disk (Aliyun solution document)",
        ),
        "ecs.xn4.small": Price(low=None, high=74, source="in Hong Kong in 2022 (third party)"),
    }
)
"""A month of an instance type; what some of the offers include besides stands in their source."""

_PL1: Final = _an_hour(0.042 / 20)

DISKS: Final[Mapping[DiskCategory, Price]] = MappingProxyType(
    {
        "cloud_essd": Price(
            low=None, high=_PL1, source="no more than PL1, the level above: 0.042 an hour for 20 GiB (Aliyun document)"
        ),
        "cloud_essd_entry": Price(low=None, high=_PL1, source="no more than an ESSD of PL1 (Aliyun document)"),
    }
)
"""A GiB of disk for a month."""

NO_PRICE: Final = Price(low=None, high=None, source="no source found")

SNAPSHOT: Final = Price(
    low=0,
    high=0.12,
    source="0.12 a GiB (third party) of what is stored: changed blocks only; at most one copy of both disks is assumed",
)
"""A GiB of snapshots for a month."""

TRAFFIC: Final = Price(
    low=0,
    high=None,
    source="by use: 0.8 to 0.9 a GB outwards on the mainland (0.125 USD in Aliyun's documentation of EIP)",
)

DNS: Final = Price(low=0, high=0, source="free edition of Alidns; the domain and a paid edition come on top")

ARTICLE_SOURCE: Final = "https://www.jzhix.com/article/2026/02/matrix-conduit-deployment-china.md"
"""Its prices stand in config/tiers.py. They are plausible with a yearly discount; no source gives exactly these."""
