"""Several stacks on one Docker engine, and what is in the way of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import docker
import pytest

from components.container import LABEL_STACK
from tests import standin
from tests.e2e.deployment import Deployment

SETTINGS = {"homeserver": "conduit", "imageSource": "packages", "registryPrefix": standin.PREFIX, "redis": "false"}


def stack(
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    first_port: int,
    subnet: str,
    *,
    second_clone: bool = False,
) -> Deployment:
    made = Deployment(
        stack=name,
        folder=tmp_path_factory.mktemp(name),
        ports=(first_port, first_port + 1, first_port + 2),
        settings={**SETTINGS, "subnet": subnet},
    )
    made.prepare(second_clone=second_clone)
    return made


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Deployment]]:
    one = stack("one-test", tmp_path_factory, 22080, "10.89.76.0/24")
    # Its name begins with the other's.
    two = stack("one-test-two-test", tmp_path_factory, 22180, "10.89.77.0/24")
    standin.provide(one.client)
    try:
        one.make("up")
        two.make("up")
        yield one, two
        for each in (one, two):
            each.make("purge", CONFIRM=each.stack)
            assert each.left_in_the_docker_engine() == []
    finally:
        two.remove()
        one.remove()


def test_what_is_done_to_one_does_not_touch_the_other(stacks: tuple[Deployment, Deployment]) -> None:
    one, two = stacks
    before = two.started_at()
    one.make("down")
    assert one.containers() == []
    assert two.started_at() == before
    two.make("status", check=False)
    one.make("up")
    assert two.started_at() == before


@pytest.mark.usefixtures("stacks")
def test_a_subnet_that_is_taken_is_named_with_who_has_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    three = stack("three-test", tmp_path_factory, 22280, "10.89.76.128/25")
    try:
        text = three.make("up", check=False).stderr
        assert "subnet 10.89.76.128/25 overlaps with 10.89.76.128/27 of the network matrix-one-test-backend" in text
        assert "matrix-one-test-edge" not in text, "the other half is not in the way"
        assert "pulumi config set subnet" in text
        assert three.left_in_the_docker_engine() == []
    finally:
        three.remove()


def test_another_clone_with_a_stack_of_the_same_name_is_refused_and_touches_nothing(
    stacks: tuple[Deployment, Deployment], tmp_path_factory: pytest.TempPathFactory
) -> None:
    one, _ = stacks
    before = one.started_at()
    clone = stack("one-test", tmp_path_factory, 22380, "10.89.78.0/24", second_clone=True)
    text = clone.make("up", check=False).stderr
    assert "the network matrix-one-test-edge is there already, and not in this stack's state" in text
    assert "the volume matrix-one-test-conduit-data is there already" in text
    assert one.started_at() == before
    clone.client.close()


def test_what_a_dead_plugin_had_begun_to_create_is_the_stacks_own(stacks: tuple[Deployment, Deployment]) -> None:
    one, _ = stacks
    one.make("down")
    # Pulumi counts it as failed, and the Docker engine completes it.
    left = one.client.networks.create("matrix-one-test-edge", labels={LABEL_STACK: one.stack})
    one.make("up")
    assert left.id not in {each.id for each in one.client.networks.list()}


def test_a_stack_whose_state_was_lost_can_take_its_volumes_over(stacks: tuple[Deployment, Deployment]) -> None:
    one, _ = stacks
    one.make("down")
    shutil.rmtree(one.folder / ".state")
    refused = one.make("up", check=False)
    assert refused.returncode != 0
    assert f"the secrets in {one.config_file.name} are sealed with another passphrase" in refused.stderr
    assert "put back the folder .state" in refused.stderr
    # Without the secrets and their salt.
    one.write_config({**SETTINGS, "subnet": "10.89.76.0/24"})
    refused = one.make("up", check=False)
    assert refused.returncode != 0
    assert "ADOPT_VOLUMES=yes make up" in refused.stderr
    one.make("up", ADOPT_VOLUMES="yes")
    assert one.make("status", check=False).stdout


def test_a_container_of_somebody_else_with_such_a_name_is_not_touched(
    stacks: tuple[Deployment, Deployment], tmp_path_factory: pytest.TempPathFactory
) -> None:
    one, _ = stacks
    client = docker.from_env()
    image = one.container("nginx").attrs["Image"]
    strange = client.containers.create(image, ["true"], name="matrix-four-test-nginx")
    four = stack("four-test", tmp_path_factory, 22480, "10.89.79.0/24")
    try:
        text = four.make("up", check=False).stderr
        assert "the container matrix-four-test-nginx is there already, and not made by this project" in text
        strange.reload()
    finally:
        strange.remove(force=True)
        four.remove()
        client.close()
