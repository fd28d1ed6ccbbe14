"""Whether what carries a stack's name in the Docker engine is the stack's own, and whether its subnet is free.

Two clones of this project can have a stack of the same name on one Docker engine. Each would take the other's
containers for left over and the other's volumes for its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

import docker

from components.container import LABEL_STACK
from config.project import PROJECT
from config.settings import Settings
from ops.stack import NETWORK_TYPE, VOLUME_TYPE, Stack, State
from toolchain.steps import StepFailed

_ADOPT = "ADOPT_VOLUMES"


def check(client: docker.DockerClient, stack: Stack, state: State, settings: Settings) -> None:
    """Check that nothing in the Docker engine that is not this stack's stands where it wants to be.

    What a run that was cut off had begun to create counts as the stack's own.

    Raises:
        StepFailed: something does; it names all of it, and what to do.

    """
    begun = {each["resource"]["type"] for each in state.pending if each["type"] == "creating"}
    reasons = [
        *_networks(client, stack, state.ids(NETWORK_TYPE), settings, begun),
        *_volumes(client, stack, state.ids(VOLUME_TYPE), begun),
        *_containers(client, stack),
    ]
    if reasons:
        raise StepFailed(
            step=f"stack {stack.name}",
            reason="\n".join(reasons),
            log=None,
            remedy="give this stack another name (write Pulumi.<name>.yaml, make up STACK=<name>) or another subnet "
            "(pulumi config set subnet 10.89.65.0/24).\n"
            "If the state of this very stack was lost: bring back the folder .state from a copy. Without one, remove "
            f"its containers and networks by hand, and {_ADOPT}=yes make up goes on with its volumes.",
        )


def _networks(
    client: docker.DockerClient, stack: Stack, known: set[str], settings: Settings, begun: set[str]
) -> Iterator[str]:
    for network in client.networks.list():
        if network.id in known:
            continue
        attributes: dict[str, Any] = network.attrs
        if _claims(str(network.name), attributes.get("Labels"), stack):
            if NETWORK_TYPE not in begun:
                yield f"the network {network.name} is there already, and not in this stack's state"
            continue
        for taken in (attributes.get("IPAM") or {}).get("Config") or ():
            subnet = ip_network(taken.get("Subnet", "0.0.0.0/32"))
            if isinstance(subnet, IPv4Network) and subnet.overlaps(settings.subnet):
                yield f"subnet {settings.subnet} overlaps with {subnet} of the network {network.name}"


def _volumes(client: docker.DockerClient, stack: Stack, known: set[str], begun: set[str]) -> Iterator[str]:
    if VOLUME_TYPE in begun or os.environ.get(_ADOPT) == "yes":
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
    for container in client.containers.list(all=True):
        if LABEL_STACK not in container.labels and _claims(str(container.name), container.labels, stack):
            yield f"the container {container.name} is there already, and not made by this project"


def _claims(name: str, labels: Mapping[str, str] | None, stack: Stack) -> bool:
    """Return whether something is of a stack of this name, or of nobody that we know and has such a name."""
    owner = (labels or {}).get(LABEL_STACK)
    return owner == stack.name if owner else name.startswith(f"{PROJECT}-{stack.name}-")
