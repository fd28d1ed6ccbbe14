"""A CA that speaks ACME, Nginx and the ACME client, each in its container, for tests of certificates."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume

from components.services.acme.component import METRICS_PORT
from components.services.acme.component import USER as ACME_USER
from components.services.acme.render import AcmeConfig
from components.services.acme.render import render_files as render_acme
from components.services.nginx.component import HTTP, HTTPS, PLAIN_URL, USER
from components.services.nginx.render import NginxConfig
from components.services.nginx.render import render_files as render_nginx
from tests.services.conftest import Bench, execute
from tests.services.images import built

HERE: Final = Path(__file__).parent
NAME: Final = "matrix.test"
PATIENCE: Final = 180
"""Seconds after which a test gives up; the machine may be busy."""


@dataclass
class World:
    """All of it. ``life`` is that of certificates, in seconds."""

    bench: Bench
    life: int = 7776000
    first_retry: int = 1
    names: tuple[str, ...] = (NAME,)
    challenge: Literal["http-01", "dns-01"] = "http-01"
    tiny: bool = False
    """Whether certificates lie on a file system of 256 KiB."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the ACME client."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    extra_files: Mapping[str, str] = field(default_factory=dict)
    """In the ACME client's config folder."""
    acme_options: Mapping[str, Any] = field(default_factory=dict)
    pebble_options: tuple[str, ...] = ()
    network: Network | None = None
    """Where others are already; None: one of its own."""

    def __post_init__(self) -> None:
        bench = self.bench
        self._network = self.network or bench.network()
        self.listener = trustme.CA()
        self.own = trustme.CA()
        certificate = self.listener.issue_cert("ca.test", "pebble")
        self._pem = certificate.private_key_and_cert_chain_pem.bytes().decode()
        pebble = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/config/listener.pem",
            "privateKey": "/config/listener.pem",
            "httpPort": HTTP,
            "tlsPort": HTTPS,
            "certificateValidityPeriod": self.life,
        }
        files = {"listener.pem": self._pem, "pebble.json": json.dumps({"pebble": pebble})}
        files["gate.py"] = (HERE / "gate.py").read_text(encoding="utf-8")
        self._authority = bench.volume(files, 65534)
        self.pebble = self._start_pebble()
        self.gate = bench.container(
            "synapse",
            ["python3", "/config/gate.py"],
            user="65534:65534",
            volumes=_mounts({"/config": (self._authority, "ro")}),
        )
        self._network.connect(self.gate, aliases=["ca.test"])
        self.account = self._owned(bench.empty_volume(), ACME_USER, "0700")
        self.certificates = self._owned(bench.empty_volume(kibibytes=256 if self.tiny else 0), USER, "0750")
        self._config = bench.volume(self.acme_files(), ACME_USER)
        self.acme = self.start_acme()
        self.nginx = self._start_nginx()
        self._wait_for_ports()

    def acme_files(self) -> dict[str, str]:
        """Return the ACME client's config folder."""
        first = self.own.issue_cert(*self.names)
        config = AcmeConfig(
            directory="https://ca.test:14000/dir",
            email="admin@matrix.test",
            names=self.names,
            challenge=self.challenge,
            edge=PLAIN_URL,
            extra_ca=self.listener.cert_pem.bytes().decode(),
            first_retry_seconds=self.first_retry,
            longest_retry_seconds=max(self.first_retry, 4),
        )
        chain = b"".join(blob.bytes() for blob in first.cert_chain_pems) + self.own.cert_pem.bytes()
        return {
            **render_acme(config),
            "initial/fullchain.pem": chain.decode(),
            "initial/privkey.pem": first.private_key_pem.bytes().decode(),
            **{f"secrets/{name}": text for name, text in self.secrets.items()},
            **self.extra_files,
        }

    def _start_pebble(self) -> Container:
        container = self.bench.container_of(
            authority_image(self.bench),
            ["pebble", "-config", "/config/pebble.json", *self.pebble_options],
            environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "50"},
            volumes=_mounts({"/config": (self._authority, "ro")}),
            ports={"15000/tcp": ("127.0.0.1", None)},
        )
        self._network.connect(container, aliases=["pebble"])
        return container

    def start_acme(self) -> Container:
        """Start the ACME client, as hardened as the program does."""
        return self.bench.container(
            "acme",
            ["run"],
            user=f"{ACME_USER}:{USER}",
            network=self._network.name,
            environment=dict(self.environment),
            volumes=_mounts(
                {
                    "/config": (self._config, "ro"),
                    "/account": (self.account, "rw"),
                    "/certificates": (self.certificates, "rw"),
                }
            ),
            ports={f"{METRICS_PORT}/tcp": ("127.0.0.1", None)},
            mem_limit="24m",
            **self.acme_options,
        )

    def _start_nginx(self) -> Container:
        config = NginxConfig(
            server_name=self.names[-1],
            matrix_host=self.names[0],
            client_url=f"https://{self.names[0]}",
            https_port=443,
            federation=True,
            synapse=False,
            upstream="127.0.0.1:1",
            upload_limit=2**20,
            workers=2,
            well_known={"client": {}, "server": {}},
            issued=True,
        )
        volume = self.bench.volume(render_nginx(config), USER)
        container = self.bench.container(
            "nginx",
            ["nginx", "-e", "stderr", "-c", "/config/nginx.conf", "-g", "daemon off;"],
            user=f"{USER}:{USER}",
            volumes=_mounts({"/config": (volume, "ro"), "/certificates": (self.certificates, "ro")}),
            ports={f"{port}/tcp": ("127.0.0.1", None) for port in (HTTP, HTTPS)},
        )
        self._network.connect(container, aliases=["nginx", NAME])
        return container

    def _owned(self, volume: Volume, group: int, mode: str) -> Volume:
        self.bench.run(
            "toolbox",
            ["sh", "-c", f"chown {ACME_USER}:{group} /v && chmod {mode} /v"],
            user="0",
            volumes=_mounts({"/v": (volume, "rw")}),
        )
        return volume

    def _wait_for_ports(self) -> None:
        until(lambda: port_of(self.nginx, HTTPS) and handshake(self.nginx, name=self.names[0]), "Nginx serves")

    def set_mode(self, mode: str) -> None:
        """Tell the gate what to do."""
        code, output = execute(self.gate, "sh", "-c", 'printf %s "$MODE" > /tmp/mode', MODE=mode)
        assert code == 0, output

    def asked_for_orders(self) -> int:
        """Return how many new orders were answered; those that Pebble had asked anew, with another nonce, once."""
        answers = re.findall(r'"POST /order-plz \S+" (\d+)', self.gate.logs().decode())
        return sum(status != "400" for status in answers)

    def served(self) -> x509.Certificate:
        """Return the certificate that Nginx serves now."""
        return handshake(self.nginx)

    def status(self) -> dict[str, Any]:
        """Return what the client says."""
        code, output = execute(self.acme, "/usr/bin/acme", "status")
        assert code == 0, output
        found: dict[str, Any] = json.loads(output)
        return found

    def wait_for(self, condition: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Wait until the client's status is as wanted, and return it."""
        seen: list[dict[str, Any]] = [{}]

        def look() -> object:
            seen[0] = self.status()
            return condition(seen[0])

        until(look, lambda: f"{what}: {seen[0] | {'chain': ''}}\n{self.acme.logs(tail=20).decode()}")
        return seen[0]

    def wait_until_issued(self) -> x509.Certificate:
        """Wait for the CA's first certificate, and return it as it is served."""
        found = self.wait_for(lambda status: status["issued"], "the first certificate")
        certificate = self.served()
        assert f"{certificate.serial_number:x}" == found["serial"]
        return certificate

    def wait_until_settled(self) -> None:
        """Wait until Nginx reads the latest pair, whichever turn it is."""
        until(lambda: len(set(self.with_volume("cd /v && readlink current even odd").split())) == 1, "both follow")

    def with_volume(self, script: str) -> str:
        """Run a shell script that sees the certificates, as root."""
        return self.bench.run(
            "toolbox", ["sh", "-c", script], user="0", volumes=_mounts({"/v": (self.certificates, "rw")})
        )

    def root(self) -> str:
        """Return the root of the CA, as its management interface tells it."""
        code, output = execute(
            self.gate,
            "python3",
            "-c",
            "import ssl, urllib.request as u; c = ssl._create_unverified_context();"
            "print(u.urlopen('https://pebble:15000/roots/0', context=c).read().decode())",
        )
        assert code == 0, output
        return output


def authority_image(bench: Bench) -> str:
    """Return the image with Pebble and Knot."""
    base = built(bench.client, "base")
    tag = f"matrix-homeserver-test/authority:{base.rpartition(':')[2]}"
    bench.client.images.build(path=str(HERE), tag=tag, buildargs={"BASE": base}, rm=True)
    return tag


def _mounts(places: Mapping[str, tuple[Volume, str]]) -> dict[str, dict[str, str]]:
    return {str(volume.name): {"bind": target, "mode": mode} for target, (volume, mode) in places.items()}


def port_of(container: Container, internal: int) -> int:
    """Return where a port is published; 0 while it is not."""
    container.reload()
    published = container.ports.get(f"{internal}/tcp")
    return int(published[0]["HostPort"]) if published else 0


def until(condition: Callable[[], object], what: str | Callable[[], str]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise AssertionError(what if isinstance(what, str) else what())
        time.sleep(0.2)


def handshake(nginx: Container, trusted: str = "", name: str = NAME) -> x509.Certificate:
    """Do a handshake with Nginx and return the certificate; verified where there is something to trust."""
    context = ssl.create_default_context(cadata=trusted or None)
    if not trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port_of(nginx, HTTPS)), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        der = connection.getpeercert(binary_form=True)
        assert der
        return x509.load_der_x509_certificate(der)


@dataclass
class Crowd:
    """Clients that connect anew all the time and ask for one page."""

    nginx: Container
    clients: int = 4
    connects: int = 0
    failures: list[str] = field(default_factory=list)
    serials: set[int] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._port = port_of(self.nginx, HTTPS)
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        while not self._over.is_set():
            try:
                with (
                    socket.create_connection(("127.0.0.1", self._port), timeout=20) as plain,
                    context.wrap_socket(plain, server_hostname=NAME) as connection,
                ):
                    der = connection.getpeercert(binary_form=True) or b""
                    connection.sendall(
                        f"GET /_static/index.html HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()
                    )
                    if not connection.recv(64).startswith(b"HTTP/1.1 200"):
                        self.failures.append("no answer")
                    certificate = x509.load_der_x509_certificate(der)
                    self.serials.add(certificate.serial_number)
                    self.keys.add(
                        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                    )
            except OSError as error:
                self.failures.append(repr(error))
            self.connects += 1
