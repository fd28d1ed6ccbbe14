"""One deployment for each homeserver, made the way a user makes it; tests run against it and take it down."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import docker
import pytest
from nio import AsyncClient, RoomCreateResponse, RoomSendResponse

from config.catalogue import registry_reference
from config.homeservers import HomeserverName
from ops.engine import has_image
from tests import standin
from tests.e2e.deployment import Deployment
from tests.e2e.expected import EXPECTED, Expected
from tests.e2e.matrix import Account, Matrix

PORTS: Mapping[HomeserverName, tuple[int, int, int]] = {
    "synapse": (18080, 18443, 18448),
    "conduit": (28080, 28443, 28448),
    "dendrite": (27080, 27443, 27448),
}
SUBNETS: Mapping[HomeserverName, str] = {
    "synapse": "10.89.70.0/24",
    "conduit": "10.89.71.0/24",
    "dendrite": "10.89.74.0/24",
}
UPLOAD_LIMIT = 2 * 2**20
NO_CONDUIT = (
    "Conduit itself was not run: its image is not in the Docker engine and no registry gives it here. The unmodified "
    "program deployed a stand-in of the image's shape (tests/standin): that proves the deployment, not the homeserver."
)
_FIGURES: list[str] = []


def figure(text: str) -> None:
    """Have a measured figure printed at the end of the run."""
    _FIGURES.append(text)


def _has_conduit() -> bool:
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


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Two people, and a room in which both have spoken."""

    first: Account
    second: Account
    room: str
    first_words: str
    second_words: str


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "deployed" in metafunc.fixturenames:
        only_real = "homeserver" in metafunc.fixturenames
        names = ["synapse", "conduit", "dendrite"]
        if only_real and not _has_conduit():
            names.remove("conduit")
        metafunc.parametrize("deployed", names, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _FIGURES:
        terminalreporter.write_line(line)
    if _FIGURES and not _has_conduit():
        terminalreporter.write_line(NO_CONDUIT, yellow=True)


def _settings(homeserver: HomeserverName, *, real: bool) -> Mapping[str, str]:
    common = {"subnet": SUBNETS[homeserver], "uploadLimit": "2 MiB"}
    if homeserver == "synapse" and not _has_conduit():
        # The road of a user's first run: nothing is said about images and homeserver, and `make up` decides.
        return common
    prefix = {} if real else {"registryPrefix": standin.PREFIX}
    return {**common, **prefix, "homeserver": homeserver, "imageSource": "packages"}


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack that `make up` brought up; at the end, `make purge` has to leave nothing of it."""
    name: HomeserverName = request.param
    real = name != "conduit" or _has_conduit()
    deployment = Deployment(
        stack=f"e2e-{name}-test",
        folder=tmp_path_factory.mktemp(name),
        ports=PORTS[name],
        settings=_settings(name, real=real),
    )
    if not real:
        standin.provide(deployment.client)
    deployment.prepare()
    try:
        deployment.make("up")
        figure(f"{name}: first make up, with the toolchain and the images' inputs there: {deployment.seconds('up')} s")
        yield Deployed(
            homeserver=name,
            deployment=deployment,
            real=real,
            expected=EXPECTED[name],
            matrix=Matrix(deployment.url, deployment.federation_url, deployment.ca),
        )
        deployment.make("purge", CONFIRM=deployment.stack)
        assert deployment.left_in_the_docker_engine() == []
    finally:
        deployment.remove()


@pytest.fixture(scope="session")
def homeserver(deployed: Deployed) -> Deployed:
    """A stack with a real homeserver in it."""
    assert deployed.real
    return deployed


@pytest.fixture(scope="session")
def conversation(homeserver: Deployed) -> Conversation:
    """Two people who were let in and talked in a room."""
    matrix = homeserver.matrix
    first, second = homeserver.new_account(), homeserver.new_account()
    words = ("hello from the first", "hello from the second")

    async def create(client: AsyncClient) -> str:
        created = await client.room_create(invite=[second.user_id], name="A room")
        assert isinstance(created, RoomCreateResponse), created
        await say(client, created.room_id, words[0])
        return str(created.room_id)

    room = matrix.with_client(first, create)
    # Not with the library: it sends no body, and Conduit wants one.
    joined = matrix.ask("POST", f"/_matrix/client/v3/join/{room}", token=second.access_token, json={})
    assert joined.status_code == 200, joined.text
    matrix.with_client(second, lambda client: say(client, room, words[1]))
    return Conversation(first=first, second=second, room=room, first_words=words[0], second_words=words[1])


async def say(client: AsyncClient, room: str, text: str) -> None:
    """Send a message."""
    sent = await client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": text})
    assert isinstance(sent, RoomSendResponse), sent
