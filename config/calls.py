"""Settings of calls: a TURN server that passes on the sound and pictures of people who cannot reach each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, final

from config import parsing
from config.errors import Problem, problem
from config.keys import key, local_key
from config.tiers import TIERS

PROXY_MEBIBYTES: Final = 4
"""Resident memory of the docker-proxy that stands behind each published port (57 of them: 191 MiB)."""
_LOWEST_RELAY_PORT: Final = 1024
_FIRST_RELAY_PORT: Final = 49160


def _relay_ports(text: str) -> range:
    """Accept a range of UDP ports, both ends included."""
    first, _, last = text.partition("-")
    numbers = first.isascii() and first.isdigit() and last.isascii() and last.isdigit()
    if not numbers or not _LOWEST_RELAY_PORT <= int(first) <= int(last) <= parsing.HIGHEST_PORT:
        raise parsing.UnacceptableError(
            f"two ports from {_LOWEST_RELAY_PORT} to {parsing.HIGHEST_PORT} with a hyphen between them", "49160-49199"
        )
    return range(int(first), int(last) + 1)


def _usual_relay_ports(texts: Mapping[str, str]) -> str | None:
    most = next((tier.turn_ports for name, tier in TIERS.items() if name == texts.get("tier")), None)
    return f"{_FIRST_RELAY_PORT}-{_FIRST_RELAY_PORT + most - 1}" if most else None


def _address(text: str) -> str:
    """Accept an IPv4 address, or none."""
    return parsing.address(text) if text else ""


@final
@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """The keys that count where ``turn`` is on, and that one."""

    turn: bool = key(parsing.boolean, "false")
    turn_port: int = key(parsing.port, "3478")
    """Where clients ask for a relay, over UDP and TCP."""
    turn_ports: range = key(_relay_ports, _usual_relay_ports)
    """UDP ports; each is the relay of one side of a call while it lasts."""
    turn_address: str = local_key(_address, "")
    """Where clients reach this machine; empty: at ``bindAddress``, or at the public address on Aliyun."""
    turn_private_ranges: tuple[IPv4Network, ...] = key(parsing.private_ranges, "")
    """Private addresses that calls may go to. All others stay closed: a relay reaches whatever this machine does."""


def needs_secret(values: Mapping[str, object]) -> bool:
    """Return whether homeserver and TURN server share a secret."""
    return values.get("turn") is True


def uris(matrix_host: str, port: int) -> tuple[str, ...]:
    """Return where clients are sent (RFC 7065)."""
    return tuple(f"turn:{matrix_host}:{port}?transport={transport}" for transport in ("udp", "tcp"))


def problems(values: Mapping[str, object]) -> list[Problem]:
    """Return what cannot work between settings; a setting that is wrong itself is not there."""
    if values.get("turn") is not True:
        return []
    found: list[Problem] = []
    tier = next((each for name, each in TIERS.items() if name == values.get("tier")), None)
    ports, port = values.get("turnPorts"), values.get("turnPort")
    if tier and tier.name == "1C1G" and values.get("monitoring") in {"lite", "full"}:
        found.append(
            problem("monitoring", str(values["monitoring"]), f"off: it and calls do not both fit on {tier.name}", "off")
        )
    if tier and isinstance(ports, range) and len(ports) > tier.turn_ports:
        found.append(
            problem(
                "turnPorts",
                f"{ports[0]}-{ports[-1]}",
                f"at most {tier.turn_ports} ports on {tier.name}: each takes the Docker engine {PROXY_MEBIBYTES} MiB",
                f"{ports[0]}-{ports[0] + tier.turn_ports - 1}",
            )
        )
    if isinstance(ports, range) and port in ports:
        found.append(problem("turnPort", str(port), "a port outside turnPorts", "3478"))
    everywhere = values.get("bindAddress") == "0.0.0.0"  # noqa: S104 (what it is for)
    if values.get("target") == "local" and everywhere and not values.get("turnAddress"):
        found.append(
            problem(
                "turnAddress",
                "(not set)",
                "the IPv4 address at which clients reach this machine: bindAddress does not say it",
                "192.168.1.10",
            )
        )
    subnet, opened = values.get("subnet"), values.get("turnPrivateRanges")
    if isinstance(subnet, IPv4Network) and isinstance(opened, tuple):
        found += [
            problem(
                "turnPrivateRanges", str(each), f"networks outside subnet ({subnet}), the stack's own", "10.20.0.0/16"
            )
            for each in opened
            if each.overlaps(subnet)
        ]
    return found
