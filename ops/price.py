"""`make price`: what a stack on Aliyun costs, asked of Aliyun where there are credentials.

The API (ECS, DescribePrice) knows what this account pays for instance and disks; the rest is from config/prices.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from config.cloud import CloudSettings
from config.costs import MonthlyCost, monthly_cost
from config.prices import HOURS_A_MONTH
from config.settings import Settings
from ops import aliyun_api, command
from ops.aliyun_api import has_credentials
from ops.scratch import placeholder_settings, plain_texts
from ops.stack import Stack, from_arguments
from toolchain.steps import StepFailed

HOURLY: Final = "Hour"
MONTHLY: Final = "Month"

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Asks DescribePrice with these parameters, and returns ``PriceInfo.Price`` of the answer."""


@final
@dataclass(frozen=True, kw_only=True)
class Quote:
    """What the API says that instance and disks cost a month, item by item."""

    currency: str
    items: Mapping[str, float]

    @property
    def total(self) -> float:
        """The sum."""
        return sum(self.items.values())


def price_request(cloud: CloudSettings, unit: str) -> Mapping[str, Any]:
    """Return the parameters of DescribePrice for host and disks, for one hour or one month."""
    level = {"PerformanceLevel": cloud.performance_level} if cloud.performance_level else {}
    return {
        "RegionId": cloud.region,
        "ZoneId": cloud.zone,
        "ResourceType": "instance",
        "InstanceType": cloud.instance_type,
        "ImageId": cloud.image_id,
        "InstanceNetworkType": "vpc",
        "SystemDisk": {"Category": cloud.disk_category, "Size": cloud.system_disk_size, **level},
        "DataDisk": [{"Category": cloud.disk_category, "Size": cloud.data_disk_size, **level}],
        "PriceUnit": unit,
        "Period": 1,
    }


def quote(ask: Ask, cloud: CloudSettings, unit: str) -> Quote:
    """Return a month's price, paid by the hour or as a subscription."""
    price = ask(price_request(cloud, unit))
    factor = HOURS_A_MONTH if unit == HOURLY else 1
    details = price["DetailInfos"]["DetailInfo"]
    return Quote(
        currency=str(price["Currency"]),
        items={str(each["Resource"]): float(each["TradePrice"]) * factor for each in details if each["TradePrice"]},
    )


def client(environment: Mapping[str, str], region: str) -> Ask:
    """Return the API behind a function, with the credentials and the endpoint of the environment."""
    # Imported here: it is there for stacks on Aliyun only, and large.
    from alibabacloud_ecs20140526.models import DescribePriceRequest  # noqa: PLC0415

    api = aliyun_api.ecs(environment, region)

    def ask(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = api.describe_price(DescribePriceRequest().from_map(dict(parameters)))
        except aliyun_api.errors() as error:
            raise StepFailed(
                step="DescribePrice",
                reason=aliyun_api.reason(error),
                remedy="the key needs the permission ecs:DescribePrice, and the zone has to sell what is asked for",
            ) from error
        price: Mapping[str, Any] = answer.body.to_map()["PriceInfo"]["Price"]
        return price

    return ask


def render(settings: Settings, hourly: Quote | None, monthly: Quote | None) -> str:
    """Return what a person reads; without quotes, what the table says."""
    cost = monthly_cost(settings)
    lines = [f"What the stack {settings.stack} costs a month on Aliyun", ""]
    if hourly and monthly:
        lines += [f"{'asked of the API':24}{'by the hour':>14}{'a month ahead':>16}  {hourly.currency}"]
        for name in sorted({*hourly.items, *monthly.items}):
            lines.append(f"{name:24}{hourly.items.get(name, 0):14.2f}{monthly.items.get(name, 0):16.2f}")
        lines += [f"{'sum':24}{hourly.total:14.2f}{monthly.total:16.2f}", "", "What the API does not price:"]
        shown = [each for each in cost["items"] if each["name"] not in {"host", "systemDisk", "dataDisk"}]
    else:
        shown = list(cost["items"])
    for item in shown:
        lines += [f"{item['name']:12}{item['what']:28}{_bound(item['low']):>10}{_bound(item['high']):>10}"]
        lines += [f"            {item['source']}"]
    return "\n".join([*lines, "", *_table(cost)])


def _table(cost: MonthlyCost) -> list[str]:
    bounds = f"{cost['low']:.2f} to {cost['high']:.2f} {cost['currency']}"
    lines = [f"The table of {cost['asOf']} says {bounds} in all, the article {cost['article']:g}."]
    if cost["unknown"]:
        lines.append(f"It knows no price, or only one bound, of: {', '.join(cost['unknown'])}.")
    return lines


def _bound(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:.2f}"


def _settings(stack: Stack) -> tuple[Settings, CloudSettings]:
    if not stack.config_file.exists():
        raise StepFailed(
            step=f"stack {stack.name}",
            reason=f"there is no {stack.config_file.name}",
            remedy="name a stack that has one: make price STACK=dev",
        )
    settings = placeholder_settings(stack.name, plain_texts(stack.config_file))
    if settings.cloud is None:
        raise StepFailed(
            step=f"stack {stack.name}",
            reason="it runs on a machine of your own, which costs nothing here",
            remedy="name a stack with target aliyun: make price STACK=dev",
        )
    return settings, settings.cloud


def main() -> None:
    """Show the price."""
    settings, cloud = _settings(from_arguments("show what a stack on Aliyun costs"))
    if has_credentials(os.environ):
        ask = client(os.environ, cloud.region)
        print(render(settings, quote(ask, cloud, HOURLY), quote(ask, cloud, MONTHLY)))
        return
    print(render(settings, None, None))
    print(
        "\nThe API was not asked: there is no access key. With ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY of somebody "
        "who may call ecs:DescribePrice, the account's own prices are shown."
    )


if __name__ == "__main__":
    command.run(main)
