"""Settings of calls, and the config of the TURN server."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from components.services.coturn.render import CoturnConfig, render_files
from config.calls import uris
from config.errors import ConfigError
from config.settings import parse
from tests.samples import ALIYUN, LOCAL, SECRETS, settings

CONFIG = CoturnConfig(
    realm="matrix.example.com", port=3478, relay_ports=range(49160, 49174), private_ranges=(), secret="Made-up-secret"
)


def lines(config: CoturnConfig = CONFIG) -> list[str]:
    text = render_files(config)["turnserver.conf"]
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def named(**texts: str) -> list[str]:
    """Return the keys of the problems that settings with calls have."""
    with pytest.raises(ConfigError) as caught:
        parse("local", {**LOCAL, **SECRETS, "turn": "true", **texts}, set(SECRETS))
    return [each.key.removeprefix("matrix:") for each in caught.value.problems]


def test_there_are_no_calls_unless_somebody_wants_them() -> None:
    found = settings()
    assert found.calls.turn is False
    assert found.turn_uris == ()
    assert found.relay_ports == ()


@pytest.mark.parametrize(("tier", "count"), [("1C1G", 14), ("2C4G", 40), ("4C8G", 100)])
def test_there_are_as_many_relays_as_the_tier_has_memory_for(tier: str, count: int) -> None:
    assert len(settings(tier=tier, turn="true").calls.turn_ports) == count
    assert named(tier=tier, turnPorts=f"50000-{50000 + count}") == ["turnPorts"]


def test_what_does_not_go_together_is_refused_all_at_once() -> None:
    assert named(monitoring="lite", turnPorts="3400-3500", bindAddress="0.0.0.0", turnPrivateRanges="10.0.0.0/8") == [
        "monitoring",
        "turnPorts",
        "turnPort",
        "turnAddress",
        "turnPrivateRanges",
    ]


def test_a_port_that_something_else_has_is_refused() -> None:
    assert named(turnPort="443") == ["turnPort"]


def test_without_its_secret_the_command_that_makes_it_is_named() -> None:
    with pytest.raises(ConfigError, match="make secrets"):
        parse("local", {**LOCAL, "turn": "true", "redis": "false", "registration": "closed"}, set())


def test_on_aliyun_nobody_has_to_say_the_address() -> None:
    parse("local", {**ALIYUN, **SECRETS, "turn": "true"}, set(SECRETS))
    with pytest.raises(ConfigError, match="turnAddress"):
        parse("local", {**ALIYUN, **SECRETS, "turnAddress": "203.0.113.7"}, set(SECRETS))


def test_clients_are_sent_to_both_transports() -> None:
    assert uris("matrix.example.com", 3479) == (
        "turn:matrix.example.com:3479?transport=udp",
        "turn:matrix.example.com:3479?transport=tcp",
    )


def test_nobody_gets_in_without_a_password_and_nobody_gets_a_relay_for_everything() -> None:
    found = lines()
    assert {"use-auth-secret", "static-auth-secret=Made-up-secret", "no-tcp-relay", "no-cli", "no-multicast-peers"} <= {
        *found
    }
    assert {"min-port=49160", "max-port=49173", "total-quota=14"} <= {*found}


@pytest.mark.parametrize(
    "address",
    [
        "10.89.64.2",
        "127.0.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "172.17.0.1",
        "192.168.1.1",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_no_private_address_is_reached(address: str) -> None:
    ranges = [line.partition("=")[2].partition("-") for line in lines() if line.startswith("denied-peer-ip=")]
    number = _number(address)
    assert any(_number(first) <= number <= _number(last) for first, _, last in ranges if ":" not in first)
    assert not [line for line in lines() if line.startswith("allowed-peer-ip")]


def test_what_is_opened_is_opened_alone() -> None:
    found = lines(replace(CONFIG, private_ranges=[IPv4Network("10.20.0.0/16")]))
    assert [line for line in found if line.startswith("allowed-peer-ip")] == ["allowed-peer-ip=10.20.0.0-10.20.255.255"]


def _number(address: str) -> int:
    return int(IPv4Network(address)[0])
