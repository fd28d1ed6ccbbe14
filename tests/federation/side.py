"""One side of a federation: a stack with a name of its own, at an address that the other side's containers reach."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any
from unittest import mock

from config.addresses import address_plan
from config.homeservers import HomeserverName
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.expected import EXPECTED
from tests.e2e.matrix import Matrix


@dataclass(frozen=True, kw_only=True)
class Side:
    """Who it is, and where."""

    server_name: str
    homeserver: HomeserverName
    subnet: str
    discovery: str
    https_port: int

    @property
    def address(self) -> str:
        """Where Nginx is published: the gateway of the stack's own network, which is an address of this machine."""
        return str(address_plan(IPv4Network(self.subnet)).edge.gateway)

    @property
    def matrix_host(self) -> str:
        """Where clients go."""
        return f"chat.{self.server_name}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The stack's config, without what is only known when both sides are there."""
        return {
            "homeserver": self.homeserver,
            "imageSource": "packages",
            "redis": "false",
            "serverName": self.server_name,
            "matrixHost": self.matrix_host,
            "subnet": self.subnet,
            "bindAddress": self.address,
            "discovery": self.discovery,
            "dnsServers": self.address,
        }

    @property
    def records(self) -> Sequence[str]:
        """The zone of the server name: the documented records, and no address of the name itself with ``srv``."""
        records = [f"chat A {self.address}"]
        if self.discovery == "srv":
            return [*records, f"_matrix-fed._tcp SRV 10 5 8448 {self.matrix_host}."]
        return [*records, f"@ A {self.address}"]

    def deployment(self, folder: Any) -> Deployment:  # noqa: ANN401 (a path, as pytest gives it)
        """Return the stack, not yet brought up."""
        made = Deployment(
            stack=f"{self.server_name.partition('.')[0]}-test",
            folder=folder,
            ports=(80, self.https_port, 8448),
            settings=self.settings,
        )
        made.prepare()
        return made


@contextmanager
def up(side: Side, deployment: Deployment) -> Iterator[Deployed]:
    """Bring a side up and ask it by its name; `make purge` has to leave nothing of it."""
    with brought_up(side.homeserver, deployment) as running:
        suffix = "" if side.https_port == 443 else f":{side.https_port}"
        yield Deployed(
            homeserver=side.homeserver,
            deployment=deployment,
            real=True,
            expected=EXPECTED[side.homeserver],
            matrix=Matrix(f"https://{side.matrix_host}{suffix}", f"https://{side.matrix_host}:8448", running.matrix.ca),
        )


@contextmanager
def known(addresses: Mapping[str, str]) -> Iterator[None]:
    """Let this process know names that this machine's resolver does not."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (as in socket)
        return ask(addresses.get(host, host), *arguments, **options)

    with mock.patch("socket.getaddrinfo", answer):
        yield
