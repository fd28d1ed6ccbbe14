"""The register of actions: each module of the emulation enters what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, missing, missing_in_dns
from tests.aliyun.emulation.parameters import Parameters

Reply = dict[str, Any]
Handler = Callable[[Cloud, Parameters], Reply]


@final
@dataclass(frozen=True, kw_only=True)
class Product:
    """One API of Aliyun.

    Attributes:
        name: as RAM policies spell it.
        version: which a request states, and by which it is told from the others.
        package: Alibaba's SDK package with its models; empty: requests are not held against models.
        missing: how it says that a parameter lacks.
    """

    name: str
    version: str
    package: str = ""
    missing: Callable[[str], ApiError] = missing


ECS = Product(name="ecs", version="2014-05-26", package="alibabacloud_ecs20140526")
VPC = Product(name="vpc", version="2016-04-28", package="alibabacloud_vpc20160428")
ALIDNS = Product(name="alidns", version="2015-01-09", package="alibabacloud_alidns20150109", missing=missing_in_dns)
BSS = Product(name="bss", version="2017-12-14")
STS = Product(name="sts", version="2015-04-01")
LOCATION = Product(name="location", version="2015-06-12")
PRODUCTS: Mapping[str, Product] = {found.version: found for found in (ECS, VPC, ALIDNS, BSS, STS, LOCATION)}

ACTIONS: dict[tuple[str, str], Handler] = {}
"""By the version and the name of the action."""


def action(product: Product, name: str) -> Callable[[Handler], Handler]:
    """Enter a function as the answer to an action."""

    def enter(handler: Handler) -> Handler:
        ACTIONS[product.version, name] = handler
        return handler

    return enter


def page(rows: list[Any], outer: str, inner: str) -> Reply:
    """Answer a list in the usual wrapping; everything fits on one page."""
    return {"TotalCount": len(rows), "PageNumber": 1, "PageSize": max(10, len(rows)), outer: {inner: rows}}
