"""Every alert is proven on a running stack by a real fault: `make alert-faults` measures how soon people are told.

It writes docs/alert-faults.md, where durations as shipped (`SCALE=1`) and a tenth of them (`SCALE=0.1`) have tables
each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.alert_faults import BATCHES, SILENCES, Silence, row, silence_row
from tests.e2e.alerted import Scene, brought_up_with_inbox, fully_monitored, suffer_together
from tests.e2e.deployment import Deployment
from tests.e2e.disk import data_on_a_small_disk
from tests.golden.test_alert_faults_document import write

SCALE = os.environ.get("SCALE", "0.1")
WRITES = os.environ.get("WRITE_ALERT_FAULTS") == "1"
PROMETHEUS = 19090
DISK_MEBIBYTES = 512


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A stack whose homeserver has its data on a small disk, and whose alerts arrive here."""
    folder = tmp_path_factory.mktemp("alert-faults")
    deployment = Deployment(
        stack="alert-faults-test",
        folder=folder,
        ports=(19080, 19443, 19448),
        settings=fully_monitored(PROMETHEUS, "10.89.94.0/24", alertTimeScale=SCALE),
    )
    deployment.prepare()
    with (
        brought_up_with_inbox(deployment, PROMETHEUS, SCALE) as made,
        data_on_a_small_disk(made.deployed, folder / "disk", DISK_MEBIBYTES),
    ):
        # They still have the folder below it mounted, as Synapse had.
        for name in ("node-exporter", "canary"):
            deployment.container(name).restart(timeout=30)
        yield made


def written(name: str, rows: Sequence[str]) -> None:
    print("\n".join(rows))
    if WRITES:
        write(name, SCALE, rows)


@pytest.mark.parametrize("batch", BATCHES)
def test_people_are_told_of_a_fault_and_of_nothing_else(scene: Scene, batch: str) -> None:
    written("faults", [row(each) for each in suffer_together(scene, BATCHES[batch])])


@pytest.mark.parametrize("silence", SILENCES, ids=lambda each: each.service)
def test_the_dead_mans_switch_hears_nothing_while_nobody_could_be_told(scene: Scene, silence: Silence) -> None:
    written("silences", [silence_row(scene, silence)])
