"""A stack that runs a homeserver: brought up the way a user does it, and taken down at the end."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker

from config.catalogue import registry_reference
from config.homeservers import HomeserverName
from ops.engine import has_image
from tests import standin
from tests.e2e.deployment import Deployment
from tests.e2e.expected import EXPECTED, Expected
from tests.e2e.matrix import Account, Matrix


def has_conduit() -> bool:
    """Return whether the Docker engine has Conduit's image, which cannot be had without a registry."""
    client = docker.from_env()
    try:
        return has_image(client, registry_reference("conduit", ""))
    finally:
        client.close()


@dataclass
class Deployed:
    """A running stack and the homeserver in it; ``real`` is False where a stand-in runs instead of Conduit."""

    homeserver: HomeserverName
    deployment: Deployment
    real: bool
    expected: Expected
    matrix: Matrix

    def new_account(self) -> Account:
        """Let a new user in with what the stack's commands print, and log in."""
        if not self.expected.makes_accounts:
            return self.matrix.new_account(self.deployment.make("token").stdout.strip())
        printed = self.deployment.make("invite", NAME=f"user-{uuid.uuid4().hex[:10]}").stdout
        found = re.search(r"^User: +(\S+)\nPassword: +(\S+)$", printed, re.MULTILINE)
        assert found, "no user and password"
        return self.matrix.account(found[1], found[2])


@contextmanager
def brought_up(homeserver: HomeserverName, deployment: Deployment, *, real: bool = True) -> Iterator[Deployed]:
    """Bring up a stack that is prepared; at the end `make purge` has to leave nothing of it."""
    if not real:
        standin.provide(deployment.client)
    try:
        deployment.make("up")
        yield Deployed(
            homeserver=homeserver,
            deployment=deployment,
            real=real,
            expected=EXPECTED[homeserver],
            matrix=Matrix(deployment.url, deployment.federation_url, deployment.ca),
        )
        deployment.make("purge", CONFIRM=deployment.stack)
        assert deployment.left_in_the_docker_engine() == []
    finally:
        deployment.remove()
