"""What pulumi-docker does that nobody would expect: the reasons for the rules in ``components/container.py``.

When one of these fails with a newer plugin, the rule that it stands for may go.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import docker as docker_sdk
import pytest

from components.container import REPLACE_ON_CHANGES, decimal_cpus, go_duration
from ops.plugin import Plugin, PluginError
from tests.services.images import built

URN = "urn:pulumi:test::matrix::docker:index/container:Container::trap"
CHANGES: Mapping[str, tuple[Any, Any]] = {
    "init": (False, True),
    "mounts": (
        [{"type": "volume", "source": "one", "target": "/config", "readOnly": True}],
        [{"type": "volume", "source": "another", "target": "/config", "readOnly": True}],
    ),
    "tmpfs": ({"/tmp": "rw,size=16m"}, {"/tmp": "rw,size=32m"}),  # noqa: S108 (in the container)
}


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    with Plugin.start("docker") as started:
        started.configure({"host": "unix:///var/run/docker.sock"})
        yield started


class Lab:
    """Makes containers with the plugin and removes them."""

    def __init__(self, plugin: Plugin, client: docker_sdk.DockerClient) -> None:
        self.plugin = plugin
        self.client = client
        self.image = built(client, "toolbox")
        self._made: list[str] = []

    def create(self, **properties: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:  # noqa: ANN401 (any property)
        """Create a container; return its id, its state and its inputs."""
        name = f"trap-test-{uuid.uuid4().hex[:8]}"
        self._made.append(name)
        defaults = {
            "name": name,
            "image": self.image,
            "entrypoints": ["busybox", "sleep", "60"],
            "restart": "no",
            "networkMode": "none",
            "user": "0:0",
        }
        inputs = self.plugin.check(URN, {**defaults, **properties})
        id_, state = self.plugin.create(URN, inputs)
        return id_, state, inputs

    def changes_after_refresh(self, **properties: Any) -> list[str]:  # noqa: ANN401 (any property)
        """Return what the next run would change on a container that nobody touched."""
        id_, state, inputs = self.create(**properties)
        _, state, refreshed = self.plugin.read(URN, id_, state=state, inputs=inputs)
        answer = self.plugin.diff(URN, id_, state=state, news=inputs, old_inputs=refreshed)
        self.clear()
        return [*answer.diffs, *answer.replaces] if answer.changes else []

    def files_in(self, volume: str) -> list[str]:
        """Return the names of the files in a volume."""
        shown = self.client.containers.run(
            self.image, ["ls", "/v"], volumes={volume: {"bind": "/v", "mode": "ro"}}, remove=True, user="0"
        )
        return shown.decode().split()

    def clear(self) -> None:
        """Remove what is left."""
        for container in self.client.containers.list(all=True, ignore_removed=True):
            if container.name in self._made:
                container.remove(force=True)


@pytest.fixture
def lab(plugin: Plugin) -> Iterator[Lab]:
    client = docker_sdk.from_env(timeout=300)
    made = Lab(plugin, client)
    try:
        yield made
    finally:
        made.clear()
        client.close()


@pytest.mark.parametrize("key", sorted(REPLACE_ON_CHANGES))
def test_a_change_of_these_is_taken_for_an_update_and_carries_no_replacement(plugin: Plugin, key: str) -> None:
    one, another = CHANGES[key]
    before = plugin.check(URN, {"name": "trap", "image": "sha256:1", key: one})
    state = plugin.create_preview(URN, before) | {"id": "0123456789ab"}
    after = plugin.check(URN, {"name": "trap", "image": "sha256:1", key: another}, before)
    answer = plugin.diff(URN, "0123456789ab", state=state, news=after, old_inputs=before)
    assert answer.changes
    assert not [each for each in answer.replaces if each.startswith(key)]


def test_the_tables_agree() -> None:
    assert set(CHANGES) == set(REPLACE_ON_CHANGES)


@pytest.mark.parametrize(
    ("ours", "trap"),
    [
        ({"memory": 32, "memorySwap": 32}, {"memory": 32}),
        ({"cpus": decimal_cpus(1)}, {"cpus": "1"}),
        ({"cpus": decimal_cpus(0.5)}, {"cpus": "0.50"}),
        (
            {"healthcheck": {"tests": ["CMD", "true"], "interval": go_duration(90)}},
            {"healthcheck": {"tests": ["CMD", "true"], "interval": "90s"}},
        ),
        ({"capabilities": {"adds": ["CAP_CHOWN"]}}, {"capabilities": {"adds": ["CHOWN"]}}),
    ],
    ids=["memory", "one-processor", "half-a-processor", "duration", "capability"],
)
def test_our_spelling_settles_and_the_obvious_one_does_not(
    lab: Lab, ours: dict[str, Any], trap: dict[str, Any]
) -> None:
    assert lab.changes_after_refresh(**ours) == []
    assert lab.changes_after_refresh(**trap) != []


def test_a_one_shot_that_fails_is_a_created_resource(lab: Lab) -> None:
    _, state, _ = lab.create(entrypoints=["busybox", "false"], mustRun=False, attach=True)
    assert state["exitCode"] == 1


def test_uploads_are_refused_by_a_read_only_root(lab: Lab) -> None:
    with pytest.raises(PluginError, match="read-only"):
        lab.create(
            entrypoints=["busybox", "true"], mustRun=False, readOnly=True, uploads=[{"file": "/f", "content": "x"}]
        )


@pytest.mark.parametrize(("grace", "ended_well"), [(15, True), (None, False)], ids=["with-grace", "without"])
def test_without_a_grace_period_a_process_is_killed_whatever_stop_timeout_says(
    lab: Lab,
    grace: int | None,
    ended_well: bool,  # noqa: FBT001 (a case of the table)
) -> None:
    volume = lab.client.volumes.create(f"trap-test-{uuid.uuid4().hex[:8]}")
    try:
        id_, state, _ = lab.create(
            entrypoints=["busybox", "sh", "-c"],
            command=["trap 'sleep 1; echo bye > /v/ended; exit 0' TERM; echo up > /v/up; while :; do sleep 0.1; done"],
            mounts=[{"type": "volume", "source": volume.name, "target": "/v"}],
            stopTimeout=15,
            stopSignal="SIGTERM",
            **({} if grace is None else {"destroyGraceSeconds": grace}),
        )
        while "up" not in lab.files_in(volume.name):
            pass
        lab.plugin.delete(URN, id_, state)
        assert ("ended" in lab.files_in(volume.name)) is ended_well
    finally:
        lab.clear()
        volume.remove()
