"""coturn with the config we render, asked for relays by a client."""

from __future__ import annotations

import time
from ipaddress import IPv4Network

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from components.services.coturn.component import USER
from components.services.coturn.render import CoturnConfig, render_files
from tests.services.conftest import Bench, execute

SECRET = "Made-up-secret-0123456789"  # noqa: S105
PORT = 3478
RELAYS = range(49160, 49170)


def start(bench: Bench, network: Network, name: str, opened: list[IPv4Network]) -> str:
    """Start a TURN server; return its address."""
    config = CoturnConfig(
        realm="matrix.example.com", port=PORT, relay_ports=RELAYS, private_ranges=opened, secret=SECRET
    )
    volume = bench.volume(render_files(config), USER)
    container = bench.container(
        "coturn",
        ["-c", "/config/turnserver.conf"],
        entrypoint=["turnserver"],
        user=f"{USER}:{USER}",
        network=network.name,
        hostname=name,
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )
    deadline = time.monotonic() + 60
    while execute(container, "turnutils_stunclient", "-p", str(PORT), "127.0.0.1")[0]:
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.2)
    return address_of(container, network)


def address_of(container: Container, network: Network) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"])


def start_peer(bench: Bench, network: Network) -> Container:
    """Start somebody who sends back what comes, and has the client's programs."""
    return bench.container("coturn", ["-p", "3480"], entrypoint=["turnutils_peer"], user="1000", network=network.name)


@pytest.fixture(scope="module")
def peer(bench: Bench, network: Network) -> Container:
    return start_peer(bench, network)


def call(client: Container, server: str, to: str, *who: str) -> tuple[int, str]:
    """Ask for a relay and send six packets through it to somebody."""
    return execute(
        client,
        *("timeout", "20", "turnutils_uclient", "-p", str(PORT), "-e", to, "-r", "3480"),
        # One client, six packets, of its own channel only.
        *("-m", "1", "-n", "6", "-c", *who, server),
    )


def test_who_knows_the_secret_gets_a_relay(bench: Bench, network: Network, peer: Container) -> None:
    network.reload()
    (config,) = network.attrs["IPAM"]["Config"]
    server = start(bench, network, "open", [IPv4Network(config["Subnet"])])
    to = address_of(peer, network)
    code, told = call(peer, server, to, "-W", SECRET, "-u", "alice")
    assert code == 0, told
    assert "tot_send_msgs=6, tot_recv_msgs=6" in told
    assert "Total lost packets 0" in told

    code, told = call(peer, server, to, "-W", "Another-secret-0123456789", "-u", "alice")
    assert "tot_recv_msgs=6" not in told
    assert "401" in told or "Unauthorized" in told or code, told


def test_a_relay_reaches_no_address_of_the_stack(bench: Bench, network: Network, peer: Container) -> None:
    server = start(bench, network, "closed", [])
    told = call(peer, server, address_of(peer, network), "-W", SECRET, "-u", "alice")[1]
    assert "403" in told, told
    assert "tot_recv_msgs=6" not in told


def test_a_relay_reaches_the_internet(bench: Bench) -> None:
    # A public network that nobody lives in (RFC 7535), on this machine for as long as the tests.
    internet = bench.network("192.31.196.0/24")
    server, peer = start(bench, internet, "public", []), start_peer(bench, internet)
    told = call(peer, server, address_of(peer, internet), "-W", SECRET, "-u", "alice")[1]
    assert "tot_recv_msgs=6" in told, told
