"""A running stack survives what breaks, and loses nothing that it acknowledged.

`make test` does it with Synapse; `make reliability` with every homeserver whose image is there, and writes what was
measured to docs/reliability.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pytest

from config.homeservers import HOMESERVERS, HomeserverName
from tests.e2e.deployed import Deployed, brought_up, has_conduit
from tests.e2e.deployment import Deployment
from tests.e2e.disk import data_on_a_small_disk
from tests.e2e.faults import Fault, Outcome, Talk, faults, suffer, table
from tests.recording import ROOT

HEADER = """\
| what breaks | repaired by | seconds | failed requests | messages lost |
| --- | --- | --- | --- | --- |
"""
DOCUMENT = ROOT / "docs" / "reliability.md"
PORTS: Mapping[HomeserverName, int] = {"synapse": 23080, "conduit": 23180, "dendrite": 23280}
SUBNETS: Mapping[HomeserverName, str] = {
    "synapse": "10.89.80.0/24",
    "conduit": "10.89.82.0/24",
    "dendrite": "10.89.83.0/24",
}
DISK_MEBIBYTES = 512
WRITES = os.environ.get("WRITE_RELIABILITY") == "1"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = ["synapse"]
    if WRITES:
        names += ["dendrite", *(["conduit"] if has_conduit() else [])]
    metafunc.parametrize("stack", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack whose homeserver has its data on a small disk."""
    name: HomeserverName = request.param
    first = PORTS[name]
    folder = tmp_path_factory.mktemp(f"faults-{name}")
    deployment = Deployment(
        stack=f"faults-{name}-test",
        folder=folder,
        ports=(first, first + 1, first + 2),
        settings={"homeserver": name, "imageSource": "packages", "subnet": SUBNETS[name]},
    )
    deployment.prepare()
    with brought_up(name, deployment) as running, data_on_a_small_disk(running, folder / "disk", DISK_MEBIBYTES):
        yield running


def test_every_fault_is_survived_and_no_acknowledged_message_is_lost(stack: Deployed) -> None:
    account = stack.new_account()
    created = stack.matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
    talk = Talk(matrix=stack.matrix, account=account, room=created.json()["room_id"])
    outcomes: dict[str, tuple[Fault, Outcome]] = {}
    for fault in faults(stack.homeserver):
        outcomes[fault.what] = (fault, suffer(stack, talk, fault))
        assert outcomes[fault.what][1].lost == 0, fault.what
    assert len(talk.acknowledged) > 10, "nobody talked"
    if WRITES:
        write(stack.homeserver, table(outcomes))
    told = {line.split("|")[1].strip() for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "|" in line}
    assert set(outcomes) <= told, "make reliability writes docs/reliability.md anew"


def write(homeserver: HomeserverName, rows: str) -> None:
    """Put the table of a homeserver in the place of its old one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin = text.index(HEADER, text.index(f"## {HOMESERVERS[homeserver].display_name}\n")) + len(HEADER)
    end = text.find("\n## ", begin)
    rest = text[end:] if end >= 0 else ""
    DOCUMENT.write_text(f"{text[:begin]}{rows}\n{rest}", encoding="utf-8")
