"""DescribePrice. The figures are made up so that every item can be told in a sum; they are nobody's prices."""

from __future__ import annotations

from tests.aliyun.emulation import catalogue
from tests.aliyun.emulation.actions import ECS, Reply, action
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.disks import check_data_disk
from tests.aliyun.emulation.errors import ApiError, missing
from tests.aliyun.emulation.parameters import Parameters

_HOURS = {"Hour": 1, "Week": 7 * 24, "Month": 30 * 24, "Year": 365 * 24}
_PERIODS = {"Hour": range(1, 2), "Week": range(1, 5), "Month": range(1, 10), "Year": range(1, 6)}
_OF_A_CPU = 0.08  # CNY an hour
_OF_MEMORY = 0.02  # CNY for a GiB and hour
_OF_A_DISK = {"cloud_essd": 0.0021, "cloud_essd_entry": 0.0007, "cloud_auto": 0.0014}  # CNY for a GiB and hour
_OF_ANOTHER_DISK = 0.0009
_DISCOUNT = 0.15  # of the list price, for a month or longer


@action(ECS, "DescribePrice")
def describe_price(_cloud: Cloud, call: Parameters) -> Reply:
    unit, period = call.text("PriceUnit", "Hour"), call.integer("Period", 1)
    if unit not in _HOURS or period not in _PERIODS[unit]:
        raise ApiError(400, "InvalidPeriod", "The specified period is not valid.")
    hours = _HOURS[unit] * period * call.integer("Amount", 1)
    off = _DISCOUNT if unit in {"Month", "Year"} else 0.0
    details = [_detail(name, hourly * hours, off) for name, hourly in _items(call)]
    total = sum(detail["OriginalPrice"] for detail in details)
    discount = sum(detail["DiscountPrice"] for detail in details)
    price = {
        "Currency": "CNY",
        "OriginalPrice": round(total, 3),
        "DiscountPrice": round(discount, 3),
        "TradePrice": round(total - discount, 3),
        "ReservedInstanceHourPrice": 0.0,
        "DetailInfos": {"DetailInfo": details},
    }
    return {"PriceInfo": {"Price": price, "Rules": {"Rule": []}}}


def _items(call: Parameters) -> list[tuple[str, float]]:
    kind = call.text("ResourceType", "instance")
    disks = [("dataDisk", _disk(disk, "DataDisk.1.Category")) for disk in call.objects("DataDisk")]
    if kind == "disk":
        if not disks:
            raise missing("DataDisk.1.Category")
        return disks
    if kind != "instance":
        raise ApiError(400, "InvalidResourceType.ValueNotSupported", "The specified ResourceType is not valid.")
    if "InstanceType" not in call:
        raise missing("InstanceType")
    found = catalogue.instance_type(call["InstanceType"])
    if "ImageId" in call:
        catalogue.image_size(call["ImageId"])
    items = [("instanceType", found.cpus * _OF_A_CPU + found.memory / catalogue.GIBIBYTE * _OF_MEMORY)]
    system_disk = call.nested("SystemDisk")
    if system_disk:
        if system_disk.text("Category") not in catalogue.categories(found.family):
            text = 'The specified parameter "SystemDisk.Category" is not valid.'
            raise ApiError(400, "InvalidSystemDiskCategory.ValueNotSupported", text)
        items.append(("systemDisk", _disk(system_disk, "SystemDisk.Category")))
    items.append(("bandwidth", 0.0))  # paid by traffic
    return items + disks


def _disk(disk: Parameters, name: str) -> float:
    if "Category" not in disk:
        raise missing(name)
    category = disk["Category"]
    level = disk.text("PerformanceLevel", "PL1") if category == "cloud_essd" else ""
    check_data_disk(category, level, disk.integer("Size", 40))
    return _OF_A_DISK.get(category, _OF_ANOTHER_DISK) * disk.integer("Size", 40)


def _detail(resource: str, price: float, off: float) -> Reply:
    return {
        "Resource": resource,
        "OriginalPrice": round(price, 3),
        "DiscountPrice": round(price * off, 3),
        "TradePrice": round(price * (1 - off), 3),
        "Rules": {"Rule": []},
    }
