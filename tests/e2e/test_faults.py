"""A running stack survives what breaks, and loses nothing that it acknowledged.

`make reliability` writes what was measured to docs/reliability.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.deployment import Deployment
from tests.e2e.faults import Fault, Outcome, Talk, faults, suffer, table
from tests.e2e.matrix import Matrix
from tests.recording import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

What happens to a running stack (Synapse on tier 1C1G, two processor cores, Docker 20.10) when something breaks, while
somebody asks for something ten times a second and says something every five seconds. `make reliability` measures it
anew and writes this page; `make test` checks that every fault is survived and that no acknowledged message is lost.

Seconds count from the fault until requests are answered again and every container is healthy: a health check runs every
ten seconds, so a container that is back after one second may count for eleven. Where a person has to act, they include
the whole run of `make up`. Clients repeat a request that failed; lost is a message that was acknowledged and is gone.

| what breaks | repaired by | seconds | failed requests | messages lost |
| --- | --- | --- | --- | --- |
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment(
        stack="faults-test",
        folder=tmp_path_factory.mktemp("faults"),
        ports=(23080, 23443, 23448),
        settings={"homeserver": "synapse", "imageSource": "packages", "subnet": "10.89.80.0/24"},
    )
    made.prepare()
    try:
        made.make("up")
        yield made
        made.make("purge", CONFIRM=made.stack)
        assert made.left_in_the_docker_engine() == []
    finally:
        made.remove()


def test_every_fault_is_survived_and_no_acknowledged_message_is_lost(deployment: Deployment) -> None:
    matrix = Matrix(deployment.url, deployment.federation_url, deployment.ca)
    account = matrix.new_account(deployment.make("token").stdout.strip())
    created = matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
    talk = Talk(matrix=matrix, account=account, room=created.json()["room_id"])
    outcomes: dict[str, tuple[Fault, Outcome]] = {}
    for fault in faults("synapse"):
        outcomes[fault.what] = (fault, suffer(deployment, talk, fault))
        assert outcomes[fault.what][1].lost == 0, fault.what
    assert len(talk.acknowledged) > 10, "nobody talked"
    if os.environ.get("WRITE_RELIABILITY") == "1":
        DOCUMENT.write_text(f"{HEAD}{table(outcomes)}\n", encoding="utf-8")
    told = {line.split("|")[1].strip() for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "|" in line}
    assert set(outcomes) <= told, "make reliability writes docs/reliability.md anew"
