"""A real name server (Knot DNS) for the names of the tests, published where the containers of the stacks reach it."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dns.exception
import dns.message
import dns.query
import docker

from tests.services.images import built

_TAG = "matrix-homeserver-test/knot"
_ANSWERS_WITHIN = 30.0
_PORT = 53


@contextmanager
def name_server(
    client: docker.DockerClient, name: str, zones: Mapping[str, Sequence[str]], addresses: Sequence[str]
) -> Iterator[None]:
    """Serve zones while the block runs.

    Args:
        client: the Docker engine.
        name: of the container.
        zones: the records of each zone, as a zone file has them.
        addresses: of this machine, on whose port 53 it answers.

    """
    recipe = f"FROM {built(client, 'base')}\nUSER 0:0\nRUN install-packages knot\n"
    client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=_TAG, rm=True)
    for left in client.containers.list(
        all=True, ignore_removed=True, filters={"name": f"^/{name}$"}
    ):  # by a killed run
        left.remove(force=True)
    published: Any = [(each, _PORT) for each in addresses]  # the stubs know a list of ports only
    container = client.containers.create(
        _TAG,
        ["-c", "/etc/knot/test.conf"],
        entrypoint=["knotd"],
        name=name,
        ports={f"5353/{protocol}": published for protocol in ("udp", "tcp")},
        labels={"matrix.stack": name},
    )
    try:
        container.put_archive("/", _archive({"etc/knot/test.conf": _config(zones), **_files(zones)}))
        container.start()
        _wait(addresses, next(iter(zones)))
        yield
    finally:
        container.remove(force=True)


def _config(zones: Mapping[str, Sequence[str]]) -> str:
    # Zones from their files alone: it may write nothing beside them.
    lines = [
        "server:",
        "    listen: 0.0.0.0@5353",
        "    rundir: /tmp",
        "database:",
        "    storage: /tmp",
        "template:",
        "  - id: default",
        "    storage: /zones",
        "    zonefile-sync: -1",
        "    journal-content: none",
        "zone:",
    ]
    return "\n".join([*lines, *(f"  - domain: {zone}" for zone in zones), ""])


def _files(zones: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    head = ("$TTL 1", "@ SOA ns admin 1 3600 600 86400 1", "@ NS ns", "ns A 192.0.2.53")
    return {f"zones/{zone}.zone": "\n".join([*head, *records, ""]) for zone, records in zones.items()}


def _archive(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def _wait(addresses: Sequence[str], zone: str) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    for address in addresses:
        while True:
            try:
                dns.query.udp(dns.message.make_query(zone, "SOA"), address, timeout=1)
                break
            except (dns.exception.DNSException, OSError):
                assert time.monotonic() < deadline, f"no answer from {address}"
                time.sleep(0.2)
