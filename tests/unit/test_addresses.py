"""Addresses: fixed ones stay free of dynamic ones."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Network

import pytest

from config.addresses import SMALLEST_PREFIX, address_plan
from tests.contract.test_program import CONTAINER
from tests.recording import record
from tests.samples import LOCAL, SECRETS


@pytest.mark.parametrize("subnet", ["10.89.64.0/24", "10.1.0.0/16", "192.168.7.64/26"])
def test_nothing_is_given_out_twice(subnet: str) -> None:
    plan = address_plan(IPv4Network(subnet))
    networks = (plan.edge, plan.backend, plan.operators, plan.monitoring)
    for one, other in itertools.combinations(networks, 2):
        assert not one.subnet.overlaps(other.subnet)
    fixed = [plan.edge.gateway, *plan.homeservers.values(), plan.canary]
    assert len(set(fixed)) == len(fixed)
    for address in fixed:
        assert address in plan.edge.subnet
        assert address not in plan.edge.dynamic
    for network in networks:
        assert network.dynamic.subnet_of(network.subnet)
        assert network.subnet.subnet_of(IPv4Network(subnet))


def test_the_smallest_subnet_has_an_address_for_every_container() -> None:
    plan = address_plan(IPv4Network(f"10.89.64.0/{SMALLEST_PREFIX}"))
    full = {**LOCAL, "tier": "2C4G", "homeserver": "synapse", "monitoring": "full", "redis": "true"}
    names = [
        each["name"]
        for container in record(full, SECRETS).of_type(CONTAINER)
        for each in container.inputs.get("networksAdvanced", [])
    ]
    for network, name in (
        (plan.edge, "edge"),
        (plan.backend, "backend"),
        (plan.operators, "operators"),
        (plan.monitoring, "monitoring"),
    ):
        hosts = set(network.subnet.hosts())
        # Neither the network's own address, nor the gateway's, nor the one for all.
        free = [each for each in network.dynamic if each in hosts and each != network.gateway]
        assert 0 < names.count(f"matrix-local-{name}") <= len(free), name
