"""DNS-01 carried through: the ACME client writes at an emulated Alidns, Knot serves it, Pebble asks Knot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.update
from docker.models.networks import Network

from tests.aliyun.emulation.alidns import presented
from tests.aliyun.emulation.emulation import KEY_ID, SECRET, Emulation, Options
from tests.services.authority import NAME, World, authority_image, handshake, until
from tests.services.conftest import Bench

DOMAIN = "test"
NAMES = (NAME, DOMAIN)
KNOT = """
server:
    listen: 0.0.0.0@53
    rundir: /tmp
    user: nobody
database:
    storage: /tmp
log:
  - target: stderr
    any: warning
acl:
  - id: anybody
    address: 0.0.0.0/0
    action: update
zone:
  - domain: test
    file: /tmp/test.zone
    acl: anybody
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
"""
ZONE = """
$ORIGIN test.
$TTL 1
@ SOA ns hostmaster 1 3600 1200 86400 1
@ NS ns
ns A ADDRESS
"""


def knot(bench: Bench, network: Network) -> str:
    """Run Knot with the zone, and return its address, which is in the zone too."""
    volume = bench.volume({"knot.conf": KNOT, "test.zone": ZONE}, 65534)
    container = bench.container_of(
        authority_image(bench),
        [
            *("sh", "-ec"),
            'sed "s/ADDRESS/$(hostname -i)/" /config/test.zone > /tmp/test.zone; exec knotd -c /config/knot.conf',
        ],
        user="65534:65534",
        network=network.name,
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )
    container.reload()
    address: str = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    query = dns.message.make_query(f"ns.{DOMAIN}.", "A")
    until(lambda: dns.query.tcp(query, address, timeout=5).answer, lambda: container.logs().decode())
    return address


@contextmanager
def copied(emulation: Emulation, server: str) -> Iterator[list[str]]:
    """Have Knot serve the TXT records that the emulated Alidns has; give the names that were ever there."""
    over = threading.Event()
    seen: list[str] = []

    def copy() -> None:
        there: set[tuple[str, str]] = set()
        while not over.wait(0.2):
            with emulation.cloud.lock:
                records = [each for each in emulation.cloud.state.records.values() if each.kind == "TXT"]
                wanted = {(f"{each.rr}.{each.domain}.", presented(each)) for each in records}
            if wanted == there:
                continue
            update = dns.update.UpdateMessage(DOMAIN)
            for name, text in there - wanted:
                update.delete(name, "TXT", text)
            for name, text in wanted - there:
                update.add(name, 1, "TXT", text)
            assert dns.query.tcp(update, server, timeout=20).rcode() == 0
            seen.extend(sorted(name for name, _ in wanted - there))
            there = wanted

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_a_certificate_is_issued_for_names_that_alidns_proves(own_bench: Bench, tmp_path: Path) -> None:
    network = own_bench.network()
    network.reload()
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    # The port and the name of the real one: lego's client cannot be told another endpoint.
    emulation = Emulation(Options(state=tmp_path, domains=[DOMAIN], address=gateway, port=443))
    address = knot(own_bench, network)
    with emulation, copied(emulation, address) as seen:
        world = World(
            own_bench,
            names=NAMES,
            challenge="dns-01",
            network=network,
            secrets={"alidns": f"{KEY_ID}:{SECRET}"},
            extra_files={"alidns-ca.pem": emulation.certificates.ca.read_text(encoding="utf-8")},
            environment={"SSL_CERT_FILE": "/config/alidns-ca.pem"},
            acme_options={"dns": [address], "extra_hosts": {"alidns.aliyuncs.com": gateway}},
            pebble_options=("-dnsserver", f"{address}:53"),
        )
        issued = world.wait_until_issued()
        assert handshake(world.nginx, world.root()).serial_number == issued.serial_number
        assert set(world.status()["names"]) == set(NAMES)
        assert set(seen) == {f"_acme-challenge.{name}." for name in NAMES}
        # It tidies up, and asks for nothing that docs/certificates.md does not have in its policy.
        until(lambda: not emulation.cloud.state.records, "the records are removed")
        assert set(emulation.journal.actions()) == {
            "alidns:DescribeDomains",
            "alidns:AddDomainRecord",
            "alidns:DescribeDomainRecords",
            "alidns:DeleteDomainRecord",
        }


def test_a_wrong_access_key_is_told_without_the_secret(own_bench: Bench, tmp_path: Path) -> None:
    network = own_bench.network()
    network.reload()
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    emulation = Emulation(Options(state=tmp_path, domains=[DOMAIN], address=gateway, port=443))
    address = knot(own_bench, network)
    with emulation:
        world = World(
            own_bench,
            names=NAMES,
            challenge="dns-01",
            network=network,
            secrets={"alidns": "another-key:a-wrong-secret"},
            extra_files={"alidns-ca.pem": emulation.certificates.ca.read_text(encoding="utf-8")},
            environment={"SSL_CERT_FILE": "/config/alidns-ca.pem"},
            acme_options={"dns": [address], "extra_hosts": {"alidns.aliyuncs.com": gateway}},
        )
        told = world.wait_for(lambda status: status["failures"], "the refusal")
        assert "InvalidAccessKeyId" in told["lastError"]
        assert "a-wrong-secret" not in world.acme.logs().decode() + str(told)
