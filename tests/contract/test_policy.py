"""What no container may have: the Docker socket, or a folder of the machine from which it is reached.

The Docker API is root on the machine. A root container with ``/`` mounted read-only reaches it at ``run/docker.sock``,
so what counts is where a path leads, and not whether ``docker.sock`` is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.contract.test_aliyun import STACKS as CLOUD_STACKS
from tests.contract.test_program import CONTAINER, STACKS
from tests.recording import Registration, record
from tests.samples import ALIYUN, LOCAL, SECRETS

ALL_STACKS = {
    **{name: {**LOCAL, **keys} for name, keys in STACKS.items()},
    **{f"aliyun-{name}": {**ALIYUN, **keys} for name, keys in CLOUD_STACKS.items()},
    "aliyun-monitored": {**ALIYUN, "monitoring": "full"},
}
SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/user/1000/docker.sock",
)
ALLOWED = {
    "node-exporter": {"/usr/lib/os-release"},
    "cadvisor": {"/sys"},
    "facts": {"/dev/kmsg", "/var/lib/docker/containers", "/srv/data/docker/containers"},
}
"""Each path of the machine that is in a container, and in which."""


def paths(container: Registration) -> Iterator[str]:
    """Return the paths of the machine that a container has."""
    for mount in container.inputs.get("mounts", []):
        if mount["type"] != "volume":
            yield mount["source"]
    for volume in container.inputs.get("volumes", []):
        yield from filter(None, [volume.get("hostPath")])
    for device in container.inputs.get("devices", []):
        yield device["hostPath"]


def leads_to_docker(path: str) -> bool:
    """Return whether a path of the machine is a socket of Docker's, or a folder above one."""
    own = PurePosixPath(path)
    return any(own == PurePosixPath(socket) or own in PurePosixPath(socket).parents for socket in SOCKETS)


@pytest.mark.parametrize("stack", sorted(ALL_STACKS))
def test_no_container_reaches_the_docker_engine(stack: str) -> None:
    for each in record(ALL_STACKS[stack], SECRETS).of_type(CONTAINER):
        assert not [path for path in paths(each) if leads_to_docker(path)], each.name


@pytest.mark.parametrize("stack", sorted(ALL_STACKS))
def test_what_containers_have_of_the_machine_is_listed_and_read_only(stack: str) -> None:
    for each in record(ALL_STACKS[stack], SECRETS).of_type(CONTAINER):
        assert set(paths(each)) <= ALLOWED.get(each.name, set()), each.name
        for mount in each.inputs.get("mounts", []):
            assert mount["type"] == "volume" or mount["readOnly"] is True, each.name
        for device in each.inputs.get("devices", []):
            assert device["permissions"] == "r", each.name


@pytest.mark.parametrize("stack", sorted(ALL_STACKS))
def test_no_container_shares_a_namespace_of_the_machine(stack: str) -> None:
    for each in record(ALL_STACKS[stack], SECRETS).of_type(CONTAINER):
        assert each.inputs.get("networkMode") in {None, "none"}, each.name
        assert not {"pidMode", "ipcMode", "usernsMode", "privileged"} & set(each.inputs), each.name


@pytest.mark.parametrize("path", ["/", "/run", "/var", "/var/run", "/var/run/docker.sock", "/run/containerd", "/run/"])
def test_the_test_itself_knows_folders_above_the_socket(path: str) -> None:
    assert leads_to_docker(path)


@pytest.mark.parametrize("path", ["/sys", "/dev/kmsg", "/var/lib/docker/containers", "/usr/lib/os-release", "/runs"])
def test_the_test_itself_lets_other_paths_pass(path: str) -> None:
    assert not leads_to_docker(path)
