"""Texts of the keys that only a stack on Aliyun has; see :mod:`config.parsing`."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final

from config.instance_types import read_name
from config.parsing import UnacceptableError, host_name, listed

WIDEST_ADMIN_PREFIX: Final = 8
"""An operator's provider has pools of this size at most; with anything wider, ssh is open to strangers."""
_MOST_ADMIN_CIDRS: Final = 20

_REGION: Final = re.compile(r"[a-z]{2}-[a-z]+(-[a-z]+)*(-[0-9]+)?")
_ZONE: Final = re.compile(r"[a-z]{2}-[a-z]+(-[a-z]+)*(-[0-9]+)?-?[a-z]")
_IMAGE: Final = re.compile(r"debian_12_[0-9]+_x64_[0-9]+G_alibase_[0-9]{8}\.vhd|m-[a-z0-9]{6,30}")


def region(text: str) -> str:
    """Accept the id of a region."""
    if not _REGION.fullmatch(text):
        raise UnacceptableError("the id of an Aliyun region", "cn-hangzhou")
    return text


def zone(text: str) -> str:
    """Accept the id of a zone: its region and a letter."""
    if not _ZONE.fullmatch(text):
        raise UnacceptableError("the id of a zone in the region", "cn-hangzhou-k")
    return text


def image_id(text: str) -> str:
    """Accept an image that the host's setup is written for: Aliyun's own of Debian 12, or one of the account's own."""
    if not _IMAGE.fullmatch(text):
        raise UnacceptableError(
            "the id of an image of Debian 12 for x64 that the region offers today, or of an own image (m-...)",
            "debian_12_13_x64_20G_alibase_20260828.vhd",
        )
    return text


def instance_type(text: str) -> str:
    """Accept an instance type whose name says its size."""
    if not read_name(text):
        raise UnacceptableError(
            "an x64 instance type of the families e, t5, t6, s6, u1, xn4, c7, g7, r7 or newer", "ecs.e-c1m2.large"
        )
    return text


def admin_cidrs(text: str) -> tuple[IPv4Network, ...]:
    """Accept the networks from which people administrate the host: never the whole internet, nor half of it."""
    expected = (
        f"the IPv4 networks from which you reach the host over ssh, with commas between them, each from "
        f"/{WIDEST_ADMIN_PREFIX} to /32; 0.0.0.0/0 would open ssh to the whole internet"
    )
    example = "203.0.113.7/32"
    try:
        networks = tuple(IPv4Network(each) for each in listed(text))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise UnacceptableError(expected, example) from error
    if (
        not networks
        or any(each.prefixlen < WIDEST_ADMIN_PREFIX or each.is_multicast or each.is_unspecified for each in networks)
        or len(set(networks)) < len(networks)
        or len(networks) > _MOST_ADMIN_CIDRS
    ):
        raise UnacceptableError(expected, example)
    return networks


def dns_domain(text: str) -> str:
    """Accept a domain that is hosted at Alidns, or nothing."""
    if text and "." not in host_name(text):
        raise UnacceptableError("a domain that is hosted at Alidns in this account, or nothing", "example.com")
    return text
