"""The dashboards of a stack with Dendrite. tests/e2e/test_monitoring.py asks those of Synapse and Conduit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.dashboards import dashboard_files
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.panels import Prometheus, empty_panels
from tests.samples import settings

PROMETHEUS = 26190
SETTINGS = {
    "homeserver": "dendrite",
    "imageSource": "packages",
    "tier": "2C4G",
    "monitoring": "full",
    "prometheusPort": str(PROMETHEUS),
    "subnet": "10.89.97.0/24",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    deployment = Deployment(
        stack="dashboards-test",
        folder=tmp_path_factory.mktemp("dashboards"),
        ports=(26180, 26543, 26548),
        settings=SETTINGS,
    )
    deployment.prepare()
    with brought_up("dendrite", deployment) as running:
        yield running


def test_every_panel_of_the_dashboards_has_data(stack: Deployed) -> None:
    person = stack.new_account()
    room = stack.matrix.new_room(person)
    files = dashboard_files(settings("dashboards-test", **SETTINGS))
    assert empty_panels(Prometheus(PROMETHEUS), files, lambda: stack.matrix.say_something(person, room)) == []
