"""Put right what a run that was cut off has left behind, so that the next one starts from what is there.

Looked for, in this order: a Pulumi engine that still works on the stack, the lock of one that does not, plugins without
a Pulumi engine, containers and networks that the state does not know, services that are not healthy or are cut off from
a network, and operations whose end the state does not know. Data volumes are never touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import docker
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from components.container import CONFIG_MOUNT, LABEL_ROLE, LABEL_STACK
from ops import engine
from ops.stack import CONTAINER_TYPE, NETWORK_TYPE, STATE_FOLDER, Stack, State
from toolchain.places import only_one
from toolchain.steps import Step, StepFailed, step

_PATIENCE_SECONDS: Final = 600
"""For a Pulumi engine whose `make` was killed: it goes on, and ends by itself."""
_PROC: Final = Path("/proc")


@contextlib.contextmanager
def alone(stack: Stack) -> Iterator[None]:
    """Let only one command at a time change a stack: another one would take what this one makes for left over."""
    with only_one(STATE_FOLDER / f"{stack.name}.lock", f"working on the stack {stack.name}"):
        yield


def repair(client: docker.DockerClient | None, stack: Stack) -> None:
    """Put right what earlier runs left; for a command that holds the stack (:func:`alone`).

    Args:
        client: the stack's Docker engine; None while its host is not there.
        stack: the stack.

    Raises:
        StepFailed: somebody else works on the stack.

    """
    with step(f"Stack {stack.name}: what earlier runs left") as this:
        found = [*_locks(this, stack), *_plugins()]
        state = stack.state()
        if client is not None:
            found += [*_containers(client, stack, state), *_networks(client, stack, state)]
            found += [*_unhealthy(client, stack), *_detached(client, stack, state)]
        # Last: until then, the state says that what was found is the stack's own (ops/ownership.py).
        found += _pending(stack, state)
        for each in found:
            this.note(each)
        if not found:
            this.outcome("nothing")


def _locks(this: Step, stack: Stack) -> list[str]:
    """Wait for a Pulumi engine that works on the stack, and cancel the locks of dead ones."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while held := [_holder(path) for path in stack.lock_folder.glob("*.json")]:
        living = [(host, process) for host, process in held if _works(host, process)]
        if not living:
            stack.ask("cancel", "--yes")
            return ["Cancelled the lock of a run that was cut off."]
        host, process = living[0]
        if host != socket.gethostname() or time.monotonic() > deadline:
            raise StepFailed(
                step=this.title,
                reason=f"the stack is locked by process {process} on {host or 'an unknown machine'}",
                remedy=f"wait for it, or if it is no more: . ./activate && pulumi cancel {stack.name}",
            )
        this.say(f"waiting for Pulumi (process {process}) of an earlier run to end")
        time.sleep(0.5)
    return []


def _holder(lock: Path) -> tuple[str, int]:
    """Return machine and process that wrote a lock; a lock that was cut off in writing has process 0."""
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        return str(content["hostname"]), int(content["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return socket.gethostname(), 0


def _works(host: str, process: int) -> bool:
    """Return whether the holder of a lock may still be at work. Of another machine nobody here can tell."""
    if host != socket.gethostname():
        return True
    if not process:
        return False
    if not _PROC.is_dir():
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return True
    # The number may have gone to another program meanwhile; a zombie keeps its name.
    name, state, _ = _process(process)
    return name.startswith("pulumi") and state != "Z"


def _process(process: int) -> tuple[str, str, int]:
    """Return name, state and parent of a process; empty where there is none."""
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", "", 0
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def _plugins() -> list[str]:
    """End plugins of ours that lost their Pulumi engine: they may still be creating something."""
    home = os.environ.get("PULUMI_HOME", "")
    ended = []
    for folder in _PROC.glob("[0-9]*") if home else ():
        with contextlib.suppress(OSError):
            program = (folder / "exe").readlink()
            process = int(folder.name)
            if program.is_relative_to(home) and program.name.startswith("pulumi-resource-") and _is_orphan(process):
                os.kill(process, signal.SIGKILL)
                ended.append(f"Ended {program.name} (process {process}), which had lost its Pulumi engine.")
    return ended


def _is_orphan(process: int) -> bool:
    """Return whether the parent of a process has ended: the system's first process, or systemd, has taken it over.

    Not whether it is Pulumi: tests run plugins too.
    """
    init = 1
    parent = _process(process)[2]
    return parent == init or _process(parent)[0] == "systemd"


def _pending(stack: Stack, state: State) -> list[str]:
    """Let Pulumi forget what it had begun to create: what came of it is removed by now, or created again."""
    if not state.pending:
        return []
    stack.ask("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    return [f"Cleared {len(state.pending)} operations that were cut off."]


def _containers(client: docker.DockerClient, stack: Stack, state: State) -> list[str]:
    """Remove containers of this stack that stand in the way.

    Two kinds: those that the state does not know, because a run was cut off or the Docker engine could not start them
    (their names are taken, and the next `up` would fail on that); and one-shots that failed, which are resources like
    any other and would never run again.
    """
    known = state.ids(CONTAINER_TYPE)
    removed = []
    for container in engine.containers(client, stack.name):
        if container.id not in known or _failed(container):
            _remove_container(container)
            removed.append(f"Removed the container {container.name}, left over from a run that did not end well.")
    return removed


def _failed(container: Container) -> bool:
    state = container.attrs["State"]
    return container.labels.get(LABEL_ROLE) == "one-shot" and (
        state["Status"] == "created" or (state["Status"] == "exited" and state["ExitCode"] != 0)
    )


def _remove_container(container: Container) -> None:
    # In order where it runs: it may be a homeserver in the middle of a write.
    if container.status == "running":
        container.stop()
    # With the volumes that have no name: the published Prometheus and Alertmanager declare one each, which nobody uses.
    container.remove(force=True, v=True)


def _unhealthy(client: docker.DockerClient, stack: Stack) -> list[str]:
    """Remove services whose health check fails, with the config they read: what is declared is then made anew.

    A config volume that was damaged keeps its name, so nothing else would notice. It holds nothing that is not in the
    state.
    """
    removed = []
    for container in engine.containers(client, stack.name):
        # One that dies at once, again and again, never gets as far as being unhealthy.
        broken = container.attrs["State"]["Restarting"] or engine.health(container) == "unhealthy"
        if container.labels.get(LABEL_ROLE) != "service" or not broken:
            continue
        volumes = {each["Name"] for each in container.attrs["Mounts"] if each["Destination"] == CONFIG_MOUNT}
        _remove_container(container)
        for other in engine.containers(client, stack.name):
            if volumes & {each.get("Name") for each in other.attrs["Mounts"]}:
                other.remove(force=True, v=True)
        for volume in volumes:
            client.volumes.get(volume).remove()
        removed.append(f"Removed the container {container.name}, which was not healthy, with its config.")
    return removed


def _detached(client: docker.DockerClient, stack: Stack, state: State) -> list[str]:
    """Remove containers that are cut off from a network they were declared with.

    Pulumi makes a network anew that was removed by hand; what was in it stays outside, healthy to its own health check.
    So does what a Docker engine that was killed in the middle of a start believes to run: with a Redis like that,
    Synapse answers everybody but who says something, and lets them wait.
    """
    networks = {network.id for network in client.networks.list()}
    declared = {
        each["id"]: {network["name"] for network in each["outputs"].get("networksAdvanced") or ()}
        for each in state.resources
        if each["type"] == CONTAINER_TYPE and each.get("id")
    }
    removed = []
    for container in engine.containers(client, stack.name):
        attached = container.attrs["NetworkSettings"]["Networks"]
        # One that is stopped has no endpoint anywhere, and is started again by what comes next.
        there = {
            name
            for name, network in attached.items()
            if network["NetworkID"] in networks and (network["EndpointID"] or container.status != "running")
        }
        if container.labels.get(LABEL_ROLE) == "service" and declared.get(str(container.id), set()) - there:
            _remove_container(container)
            removed.append(f"Removed the container {container.name}, which was cut off from its network.")
    return removed


def _networks(client: docker.DockerClient, stack: Stack, state: State) -> list[str]:
    """Remove networks of this stack that the state does not know: their names and subnets are taken."""
    known = state.ids(NETWORK_TYPE)
    removed = []
    networks: list[Network] = client.networks.list(filters={"label": f"{LABEL_STACK}={stack.name}"})
    for network in networks:
        if network.id not in known:
            network.reload()
            for container_id in network.attrs.get("Containers") or {}:
                with contextlib.suppress(APIError):
                    network.disconnect(container_id, force=True)
            network.remove()
            removed.append(f"Removed the network {network.name}, left over from a run that did not end well.")
    return removed
