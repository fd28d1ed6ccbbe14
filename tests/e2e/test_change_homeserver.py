"""Changing the homeserver of a stack loses nothing: changed back, it has everything that people wrote."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.homeservers import HomeserverName
from tests.e2e.conftest import figure
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.expected import EXPECTED
from tests.e2e.matrix import Matrix
from tests.e2e.watch import WRITES, address_of, outage, watched, write_outages

PORTS = (29080, 29443, 29448)
SETTINGS = {"homeserver": "synapse", "imageSource": "packages", "subnet": "10.89.76.0/24"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Deployed]:
    """A stack with Synapse."""
    deployment = Deployment(stack="change-test", folder=tmp_path, ports=PORTS, settings=SETTINGS)
    deployment.prepare()
    with brought_up("synapse", deployment) as running:
        yield running


def test_synapse_has_its_messages_again_after_dendrite_ran_in_its_place(stack: Deployed) -> None:
    deployment, matrix = stack.deployment, stack.matrix
    volumes = deployment.data_volumes()
    account = stack.new_account()
    access, words = account.access_token, f"words {uuid.uuid4().hex}"
    room = matrix.ask("POST", "/_matrix/client/v3/createRoom", token=access, json={}).json()["room_id"]
    path = f"/_matrix/client/v3/rooms/{room}"
    message = {"msgtype": "m.text", "body": words}
    sent = matrix.ask("PUT", f"{path}/send/m.room.message/1", token=access, json=message)
    assert sent.status_code == 200, sent.text

    with watched([address_of(deployment)]) as seen:
        change(deployment, matrix, "dendrite")
    figure(f"seconds without an answer while another homeserver took its place: {outage(seen):.1f}")
    if WRITES:
        write_outages({"homeserver": outage(seen)})
    answer = matrix.ask("GET", "/_matrix/client/v3/account/whoami", token=access)
    assert answer.status_code == 401, "Dendrite knows nothing of Synapse's users"

    change(deployment, matrix, "synapse")
    chunk = matrix.ask("GET", f"{path}/messages?dir=b&limit=20", token=access).json()["chunk"]
    assert words in {event["content"].get("body") for event in chunk}
    assert deployment.data_volumes() == volumes


def change(deployment: Deployment, matrix: Matrix, homeserver: HomeserverName) -> None:
    """Change the homeserver as a user does; afterwards the other one answers, and the one before does not run."""
    deployment.configure("homeserver", homeserver)
    deployment.make("up")
    server = matrix.ask("GET", "/_matrix/federation/v1/version", base=deployment.federation_url).json()["server"]
    assert server["name"] == EXPECTED[homeserver].federation_name
    names = {str(each.name).removeprefix(f"matrix-{deployment.stack}-") for each in deployment.containers()}
    assert names & set(EXPECTED) == {homeserver}
