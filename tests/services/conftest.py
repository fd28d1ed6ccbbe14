"""Containers for tests that run one service by itself."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume
from docker.types import IPAMConfig, IPAMPool

from config.catalogue import ImageName
from ops import engine
from tests.services.images import built

PREFIX = "services-test-"


@dataclass
class Bench:
    """Makes containers, volumes and networks with names of its own, and removes them."""

    client: docker.DockerClient
    prefix: str = field(default_factory=lambda: f"{PREFIX}{uuid.uuid4().hex[:8]}")
    _made: list[Any] = field(default_factory=list)

    def image(self, name: ImageName) -> str:
        """Return the tag of an image, built if it has to be."""
        return built(self.client, name)

    def network(self, subnet: str = "") -> Network:
        """Make a network; one whose subnet is given has fixed addresses, and takes the place of a killed run's."""
        if subnet:
            self._remove_networks_of_killed_runs(subnet)
        pools = [IPAMPool(subnet=subnet)] if subnet else None
        network = self.client.networks.create(f"{self.prefix}-{len(self._made)}", ipam=IPAMConfig(pool_configs=pools))
        self._made.append(network)
        return network

    def _remove_networks_of_killed_runs(self, subnet: str) -> None:
        for network in self.client.networks.list(names=[PREFIX]):
            if {"Subnet": subnet}.items() <= (network.attrs["IPAM"]["Config"] or [{}])[0].items():
                network.reload()
                for container in network.containers:
                    container.remove(force=True)
                network.remove()

    def volume(self, files: Mapping[str, str], user: int) -> Volume:
        """Make a volume with files that only ``user`` can read, as the program seeds them."""
        volume = self.client.volumes.create(f"{self.prefix}-{len(self._made)}")
        self._made.insert(0, volume)
        carrier = self.client.containers.create(
            self.image("toolbox"), ["true"], user="0", volumes={volume.name: {"bind": "/config", "mode": "rw"}}
        )
        carrier.put_archive("/", _archive(files, user))
        carrier.remove()
        return volume

    def empty_volume(self, kibibytes: int = 0) -> Volume:
        """Make a volume with nothing in it; with a size, one in memory that holds no more."""
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={kibibytes}k"} if kibibytes else {}
        volume = self.client.volumes.create(f"{self.prefix}-{len(self._made)}", driver="local", driver_opts=options)
        self._made.insert(0, volume)
        return volume

    def container(self, name: ImageName, command: list[str] | None = None, **options: Any) -> Container:  # noqa: ANN401
        """Start a container as hardened as the program's, kept until the test ends."""
        return self.container_of(self.image(name), command, **options)

    def container_of(self, image: str, command: list[str] | None = None, **options: Any) -> Container:  # noqa: ANN401
        """Start a container of any image."""
        container = self.client.containers.run(
            image,
            command,
            detach=True,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m,mode=1777"},  # noqa: S108 (in the container)
            **options,
        )
        self._made.append(container)
        return container

    def run(self, name: ImageName, command: list[str], **options: Any) -> str:  # noqa: ANN401
        """Run a container to its end and return what it printed; raises when it fails."""
        output = self.client.containers.run(self.image(name), command, remove=True, stderr=True, **options)
        return str(output.decode())

    def clear(self) -> None:
        """Remove everything, containers first."""
        for made in reversed(self._made):
            made.remove(**({"force": True, "v": True} if isinstance(made, Container) else {}))


def execute(container: Container, *command: str, **environment: str) -> tuple[int, str]:
    """Run a command in a container and return its exit code and what it printed."""
    return engine.execute(container, command, environment={k: v for k, v in environment.items() if v})


def _archive(files: Mapping[str, str], user: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(f"config/{path}")
            entry.size, entry.uid, entry.gid, entry.mode = len(content), user, user, 0o400
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@contextmanager
def new_bench() -> Iterator[Bench]:
    """Give a bench and clear it."""
    client = docker.from_env(timeout=300)
    made = Bench(client=client)
    try:
        yield made
    finally:
        made.clear()
        client.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with new_bench() as made:
        yield made


@pytest.fixture
def own_bench() -> Iterator[Bench]:
    """One that is cleared after each test.

    For ACME clients: those of all tests at a time have more threads than a stack's client may, and the limit counts all
    of a user's, in whichever container they are. Stacks of other tests run meanwhile.
    """
    with new_bench() as made:
        yield made


@pytest.fixture(scope="module")
def self_signed(bench: Bench) -> tuple[str, str]:
    """Certificate and key for ``localhost``, made by the library that Synapse's image contains."""
    text = bench.run("synapse", ["python3", "-c", _MAKE_CERTIFICATE])
    certificate, _, key = text.partition("---KEY---\n")
    return certificate, key


_MAKE_CERTIFICATE = """
import datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=30))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("matrix.test")]), False)
    .sign(key, hashes.SHA256()))
print(certificate.public_bytes(serialization.Encoding.PEM).decode(), end="")
print("---KEY---")
print(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption()).decode(), end="")
"""


@pytest.fixture(scope="module")
def network(bench: Bench) -> Network:
    """A network of the file's own."""
    return bench.network()


@pytest.fixture(scope="module")
def asker(bench: Bench, network: Network) -> Container:
    """A container in that network, to ask the others from."""
    return bench.container("toolbox", ["busybox", "sleep", "3600"], network=network.name, user="1000")
