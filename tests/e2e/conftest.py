"""One deployment for each homeserver, made the way a user makes it; tests run against it and take it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from nio import AsyncClient, RoomCreateResponse, RoomSendResponse

from config.homeservers import HomeserverName
from tests import standin
from tests.e2e.deployed import Deployed, brought_up, has_conduit
from tests.e2e.deployment import Deployment
from tests.e2e.matrix import Account

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
        if only_real and not has_conduit():
            names.remove("conduit")
        metafunc.parametrize("deployed", names, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _FIGURES:
        terminalreporter.write_line(line)
    if _FIGURES and not has_conduit():
        terminalreporter.write_line(NO_CONDUIT, yellow=True)


def _settings(homeserver: HomeserverName, *, real: bool) -> Mapping[str, str]:
    common = {"subnet": SUBNETS[homeserver], "uploadLimit": "2 MiB"}
    if homeserver == "synapse" and not has_conduit():
        # The road of a user's first run: nothing is said of images, homeserver and monitoring: `make up` decides.
        return {**common, "monitoring": "", "prometheusPort": "18090"}
    prefix = {} if real else {"registryPrefix": standin.PREFIX}
    return {**common, **prefix, "homeserver": homeserver, "imageSource": "packages"}


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack that `make up` brought up; at the end, `make purge` has to leave nothing of it."""
    name: HomeserverName = request.param
    real = name != "conduit" or has_conduit()
    deployment = Deployment(
        stack=f"e2e-{name}-test",
        folder=tmp_path_factory.mktemp(name),
        ports=PORTS[name],
        settings=_settings(name, real=real),
    )
    deployment.prepare()
    with brought_up(name, deployment, real=real) as running:
        figure(f"{name}: first make up, with the toolchain and the images' inputs there: {deployment.seconds('up')} s")
        yield running


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
