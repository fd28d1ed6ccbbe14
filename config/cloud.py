"""What a stack on Aliyun is besides: the host, its disks, and who and what may reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, Literal, final

from config import cloud_parsing, parsing
from config.errors import Problem, problem
from config.instance_types import (
    DISK_CATEGORIES,
    ESSD_CATEGORIES,
    LARGEST_DATA_DISK,
    SMALLEST_DATA_DISK,
    DiskCategory,
    InstanceType,
    read_name,
)
from config.keys import cloud_key
from config.tiers import TIERS, Tier

VPC_SUBNET: Final = IPv4Network("192.168.0.0/16")
VSWITCH_SUBNET: Final = IPv4Network("192.168.0.0/24")
SSH_PORT: Final = 22


def _tier(texts: Mapping[str, str]) -> Tier | None:
    return next((tier for name, tier in TIERS.items() if name == texts.get("tier")), None)


def _usual_instance_type(texts: Mapping[str, str]) -> str | None:
    tier = _tier(texts)
    return tier.instance_type if tier else None


def _usual_data_disk_size(texts: Mapping[str, str]) -> str | None:
    tier = _tier(texts)
    return str(tier.data_disk_gib) if tier else None


@final
@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """The keys that only a stack on Aliyun has."""

    region: str = cloud_key(cloud_parsing.region)
    zone: str = cloud_key(cloud_parsing.zone)
    """Where the host and its disks are. It cannot change while there is a data disk: a disk does not move."""
    account_type: Literal["Domestic", "International"] = cloud_key(
        parsing.one_of("Domestic", "International"), "Domestic"
    )
    """Stated, because the plugin would ask the billing service for it: in a preview too, for half a minute."""
    image_id: str = cloud_key(cloud_parsing.image_id)
    """Taken when the host is made. Aliyun withdraws images after some weeks, and another one would wipe the host."""
    instance_type: str = cloud_key(cloud_parsing.instance_type, _usual_instance_type)
    disk_category: DiskCategory = cloud_key(parsing.one_of(*DISK_CATEGORIES), "cloud_essd")
    """Of the system disk and the data disk."""
    system_disk_size: int = cloud_key(parsing.whole_number(20, 500, "GiB", "40"), "40")
    data_disk_size: int = cloud_key(parsing.whole_number(1, 65536, "GiB", "40"), _usual_data_disk_size)
    """GiB; images, containers and all data. It can grow, never shrink."""
    bandwidth: int = cloud_key(parsing.whole_number(1, 200, "Mbit/s", "10"), "10")
    """Mbit/s outwards. Traffic is what costs, so this is a limit and not a price."""
    snapshot_retention: int = cloud_key(parsing.whole_number(1, 65536, "days", "7"), "7")
    """Days that the snapshots of each night are kept."""
    metadata_tokens: Literal["optional", "required"] = cloud_key(parsing.one_of("optional", "required"), "optional")
    """Whether the host's metadata service asks for a token.

    cloud-init fetches one since 23.1 (canonical/cloud-init#1865); Debian 12 has 22.4, which would get no user data.
    So `make up` raises it once the host is there (ops/metadata_tokens.py); that replaces nothing.
    """
    admin_cidrs: tuple[IPv4Network, ...] = cloud_key(cloud_parsing.admin_cidrs)
    dns_domain: str = cloud_key(cloud_parsing.dns_domain, "")
    """The domain at Alidns in which records are made; empty: none are. The domain itself is never touched."""
    dns_ttl: int = cloud_key(parsing.whole_number(1, 86400, "seconds", "600"), "600")
    """Seconds. The free edition of Alidns refuses less than 600, a paid one less than 120, 60, 10 or 1."""

    @property
    def system_disk_encrypted(self) -> bool:
        """Whether the system disk is encrypted: wherever Aliyun can."""
        return self.disk_category in ESSD_CATEGORIES

    @property
    def performance_level(self) -> str | None:
        """The level of an ESSD. PL0 is the cheapest, and the only one that is sold in small sizes."""
        return "PL0" if self.disk_category == "cloud_essd" else None


def problems(values: Mapping[str, object]) -> list[Problem]:
    """Return what is wrong between the settings of a stack on Aliyun; a setting that is wrong itself is not there."""
    return [
        *_place_problems(values),
        *_type_problems(values),
        *_disk_problems(values),
        *_name_problems(values),
        *_subnet_problems(values),
    ]


def _place_problems(values: Mapping[str, object]) -> list[Problem]:
    region, zone = values.get("region"), values.get("zone")
    if isinstance(region, str) and isinstance(zone, str) and zone[:-1].removesuffix("-") != region:
        letter = zone[-1]
        separator = "" if region[-1].isdigit() else "-"
        return [problem("zone", zone, f"a zone of the region {region}", f"{region}{separator}{letter}")]
    return []


def _type_of(values: Mapping[str, object]) -> InstanceType | None:
    name = values.get("instanceType")
    return read_name(name) if isinstance(name, str) else None


def _type_problems(values: Mapping[str, object]) -> list[Problem]:
    found: list[Problem] = []
    each, tier = _type_of(values), _tier({"tier": str(values.get("tier"))})
    if each and tier and not each.holds(tier):
        found.append(
            problem(
                "instanceType",
                f"{each.name} ({each.cpus} vCPU, {each.memory} MiB)",
                f"at least {tier.cpus} vCPU and {tier.memory} MiB: the containers of tier {tier.name} need that",
                tier.instance_type,
            )
        )
    if each and each.overseas_only and _is_mainland(str(values.get("region", ""))):
        found.append(
            problem("instanceType", each.name, "a type that is sold in mainland China", TIERS["1C1G"].instance_type)
        )
    return found


def _is_mainland(region: str) -> bool:
    return region.startswith("cn-") and region != "cn-hongkong"


def _disk_problems(values: Mapping[str, object]) -> list[Problem]:
    found: list[Problem] = []
    each, category = _type_of(values), values.get("diskCategory")
    known = next((name for name in DISK_CATEGORIES if name == category), None)
    if each and known and known not in each.disks:
        taken = [name for name in DISK_CATEGORIES if name in each.disks]
        found.append(
            problem("diskCategory", known, f"one that the family of {each.name} takes: {', '.join(taken)}", taken[0])
        )
    size = values.get("dataDiskSize")
    if known and isinstance(size, int) and not SMALLEST_DATA_DISK[known] <= size <= LARGEST_DATA_DISK[known]:
        smallest = SMALLEST_DATA_DISK[known]
        found.append(
            problem(
                "dataDiskSize",
                str(size),
                f"from {smallest} to {LARGEST_DATA_DISK[known]} GiB for {known}",
                str(max(smallest, 20)),
            )
        )
    return found


def _name_problems(values: Mapping[str, object]) -> list[Problem]:
    found: list[Problem] = []
    domain, host = values.get("dnsDomain"), values.get("matrixHost")
    for name in ("serverName", "matrixHost"):
        value = values.get(name)
        if isinstance(value, str) and "." not in value:
            found.append(
                problem(
                    name,
                    value,
                    "a name that others can resolve",
                    {"serverName": "example.com"}.get(name, "matrix.example.com"),
                )
            )
    if isinstance(domain, str) and domain and isinstance(host, str) and "." in host and not inside(host, domain):
        found.append(
            problem(
                "matrixHost",
                host,
                f"a name in dnsDomain, {domain}: its address record has to be made there",
                f"matrix.{domain}",
            )
        )
    return found


def inside(name: str, domain: str) -> bool:
    """Return whether a name is the domain or lies in it."""
    return name == domain or name.endswith(f".{domain}")


def _subnet_problems(values: Mapping[str, object]) -> list[Problem]:
    subnet = values.get("subnet")
    if isinstance(subnet, IPv4Network) and subnet.overlaps(VPC_SUBNET):
        return [
            problem("subnet", str(subnet), f"a network outside {VPC_SUBNET}, which is the host's VPC", "10.89.64.0/24")
        ]
    return []
