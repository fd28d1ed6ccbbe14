"""Addresses: fixed ones stay free of dynamic ones."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from config.addresses import address_plan


@pytest.mark.parametrize("subnet", ["10.89.64.0/24", "10.1.0.0/16", "192.168.7.64/26"])
def test_nothing_is_given_out_twice(subnet: str) -> None:
    plan = address_plan(IPv4Network(subnet))
    assert not plan.edge.subnet.overlaps(plan.backend.subnet)
    fixed = [plan.edge.gateway, *plan.homeservers.values()]
    assert len(set(fixed)) == len(fixed)
    for address in fixed:
        assert address in plan.edge.subnet
        assert address not in plan.edge.dynamic
    for network in (plan.edge, plan.backend):
        assert network.dynamic.subnet_of(network.subnet)
        assert network.subnet.subnet_of(IPv4Network(subnet))
