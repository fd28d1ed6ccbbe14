"""Whether what carries a stack's name in the Docker engine is the stack's own, and whether its subnet is free.

Two clones of this project can have a stack of the same name on one Docker engine. Each would take the other's
containers for left over and the other's volumes for its own. So the first to deploy leaves a claim in the Docker
engine: an empty volume whose label says which state folder holds the stack. The state alone cannot tell: where a plugin
dies, Pulumi counts what it was creating as failed, and the Docker engine completes it.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any, Final

import docker
from docker.errors import NotFound

from components.container import LABEL_STACK
from config.project import PROJECT
from config.settings import Settings
from ops.stack import NETWORK_TYPE, STATE_FOLDER, VOLUME_TYPE, Stack, State
from toolchain.steps import StepFailed

LABEL_HOLDER: Final = "matrix.holder"
_ADOPT: Final = "ADOPT_VOLUMES"


def check(client: docker.DockerClient, stack: Stack, state: State, settings: Settings) -> None:
    """Check that nothing in the Docker engine that is not this stack's stands where it wants to be.

    With a claim, what carries the name is the stack's own. Without it (the state is shared, and this is another
    machine than the last) only what the state knows, or knows to have been begun.

    Raises:
        StepFailed: something does; it names all of it, and what to do.

    """
    # A state without resources is a new one, or one that was lost with the CA and the keys in it.
    own = bool(state.resources) and _holder(client, stack) == _holder_here(stack)
    begun = {each["resource"]["type"] for each in state.pending if each["type"] == "creating"}
    reasons = [
        *_networks(client, stack, state.ids(NETWORK_TYPE), settings, own=own or NETWORK_TYPE in begun),
        *_volumes(client, stack, state.ids(VOLUME_TYPE), own=own or VOLUME_TYPE in begun),
        *_containers(client, stack),
    ]
    if reasons:
        raise StepFailed(
            step=f"stack {stack.name}",
            reason="\n".join(reasons),
            remedy="give this stack another name (write Pulumi.<name>.yaml, make up STACK=<name>) or another subnet "
            "(pulumi config set subnet 10.89.65.0/24).\n"
            "If the state of this very stack was lost: bring back the folder .state from a copy. Without one, remove "
            f"its containers and networks by hand, and {_ADOPT}=yes make up goes on with its volumes.",
        )


def claim(client: docker.DockerClient, stack: Stack) -> None:
    """Claim the stack's name, once :func:`check` has found nothing in the way and before anything is created.

    Raises:
        StepFailed: another clone was faster.

    """
    if _holder(client, stack) == _holder_here(stack):
        return
    with contextlib.suppress(NotFound):
        client.volumes.get(_claim(stack)).remove()
    # The Docker engine answers with the volume that is there already, where there is one.
    client.volumes.create(_claim(stack), labels={LABEL_STACK: stack.name, LABEL_HOLDER: _holder_here(stack)})
    if _holder(client, stack) != _holder_here(stack):
        raise StepFailed(
            step=f"stack {stack.name}",
            reason=f"another clone of this project is deploying a stack {stack.name} at this moment",
            remedy="give this stack another name (write Pulumi.<name>.yaml, make up STACK=<name>)",
        )


def release(client: docker.DockerClient, stack: Stack) -> None:
    """Give up the claim to the stack's name."""
    with contextlib.suppress(NotFound):
        client.volumes.get(_claim(stack)).remove()
    _holder_file(stack).unlink(missing_ok=True)


def _claim(stack: Stack) -> str:
    return f"{PROJECT}-{stack.name}-holder"


def _holder(client: docker.DockerClient, stack: Stack) -> str | None:
    """Return who has claimed the stack's name in the Docker engine; None where nobody has."""
    try:
        return str((client.volumes.get(_claim(stack)).attrs.get("Labels") or {}).get(LABEL_HOLDER, ""))
    except NotFound:
        return None


def _holder_here(stack: Stack) -> str:
    """Return by what name this state folder holds the stack."""
    file = _holder_file(stack)
    if not file.exists():
        new = file.with_suffix(".new")
        new.write_text(str(uuid.uuid4()), encoding="utf-8")
        new.replace(file)
    return file.read_text(encoding="utf-8").strip()


def _holder_file(stack: Stack) -> Path:
    return STATE_FOLDER / f"{stack.name}-holder"


def _networks(
    client: docker.DockerClient, stack: Stack, known: set[str], settings: Settings, *, own: bool
) -> Iterator[str]:
    for network in client.networks.list():
        if network.id in known:
            continue
        attributes: dict[str, Any] = network.attrs
        if _claims(str(network.name), attributes.get("Labels"), stack):
            if not own:
                yield f"the network {network.name} is there already, and not in this stack's state"
            continue
        for taken in (attributes.get("IPAM") or {}).get("Config") or ():
            subnet = ip_network(taken.get("Subnet", "0.0.0.0/32"))
            if isinstance(subnet, IPv4Network) and subnet.overlaps(settings.subnet):
                yield f"subnet {settings.subnet} overlaps with {subnet} of the network {network.name}"


def _volumes(client: docker.DockerClient, stack: Stack, known: set[str], *, own: bool) -> Iterator[str]:
    if own or os.environ.get(_ADOPT) == "yes":
        return
    for volume in client.volumes.list():
        name = str(volume.name)
        claims = _claims(name, volume.attrs.get("Labels"), stack)
        # Config volumes hold nothing that is not in the state; the provider takes over what is left of them.
        if claims and name.endswith("-data") and name not in known:
            yield f"the volume {name} is there already, and not in this stack's state"


def _containers(client: docker.DockerClient, stack: Stack) -> Iterator[str]:
    # One with our label is left over from a run that failed, and ops/repair.py removes it: had it another clone's, that
    # clone's networks or volumes would have been seen.
    for container in client.containers.list(all=True, ignore_removed=True):
        if LABEL_STACK not in container.labels and _claims(str(container.name), container.labels, stack):
            yield f"the container {container.name} is there already, and not made by this project"


def _claims(name: str, labels: Mapping[str, str] | None, stack: Stack) -> bool:
    """Return whether something is of a stack of this name, or of nobody that we know and has such a name."""
    owner = (labels or {}).get(LABEL_STACK)
    return owner == stack.name if owner else name.startswith(f"{PROJECT}-{stack.name}-")
