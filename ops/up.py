"""`make up`: from nothing, or from whatever there is, to a stack that serves."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import docker
from docker.models.containers import Container

from components.container import LABEL_ROLE
from config.catalogue import is_built
from config.endpoints import CLIENT_VERSIONS
from config.settings import LOCALHOST, LOOPBACK, Settings, parse
from config.stack_images import images_of, origins_text
from ops import (
    command,
    docker_host,
    engine,
    host_power,
    images,
    lost_ports,
    metadata_tokens,
    ownership,
    pull,
    server_name,
)
from ops.certificate import Renewal, renewal
from ops.repair import alone, repair
from ops.secrets import make_missing
from ops.service import Edge
from ops.stack import LOCAL_STACK, ROOT, Stack, State, from_arguments
from ops.strays import instances, strays
from toolchain.steps import StepFailed, step

_READY_SECONDS = 60
_ROUND_SECONDS = 5
"""After which it is asked anew who signs."""


def main() -> None:
    """Deploy the stack."""
    stack = from_arguments("deploy the stack")
    with alone(stack):
        _deploy(stack)


def _deploy(stack: Stack) -> None:
    _make_stack(stack)
    settings = _settle_images(stack)
    state = stack.state()
    server_name.check(stack, state, settings)
    # The plugin takes the answer to an unknown access key for "there is no such thing": a refresh would forget it all.
    found = instances(os.environ, settings)
    replacing = host_power.replacement(stack, state)
    settings = metadata_tokens.lower_for_a_new_host(stack, state, settings, replacing)
    if replacing:
        host_power.stop(settings, state, found)
    else:
        state = host_power.bring_back(stack, settings, state, found)
    no_engine = contextlib.nullcontext(None)
    with no_engine if replacing else stack.docker_engine(settings, wait=docker_host.WAIT_SECONDS) as address:
        if address is None:
            repair(None, stack)
        else:
            _prepare(stack, state, settings, address)
    images.prepare([name for name in images_of(settings) if is_built(name, settings.image_source)])
    # With --refresh: without it a container that was stopped or removed by hand goes unseen. Not where there is no host
    # yet, or no more: there would be nobody to ask.
    refresh = ["--refresh"] if address is not None else []
    with step(f"Stack {stack.name}: pulumi up") as this:
        this.hand_over()
        try:
            stack.run("up", "--yes", "--skip-preview", *refresh, *replacing, "--suppress-outputs")
        except StepFailed as failed:
            if address == settings.docker_host:
                failed.remedy = engine.remedy_of_a_full_disk(address) or failed.remedy
            raise
    if metadata_tokens.raise_for_a_host_that_is_there(stack, settings):
        with step("Metadata service asks for a token: pulumi up") as this:
            this.hand_over()
            stack.run("up", "--yes", "--skip-preview", "--suppress-outputs")
    outputs = stack.outputs()
    save_ca(stack, outputs)
    with stack.docker_client() as client, step("Every container is healthy"):
        _wait_until_healthy(client, stack)
    with step("Homeserver answers over TLS"):
        _wait_until_it_serves(stack, settings)
    for each in strays(instances(os.environ, settings), stack.state()):
        print(f"\n{each}")
    print(f"\n{outputs['nextSteps']}")


def _prepare(stack: Stack, state: State, settings: Settings, address: str) -> None:
    """Check and bring what can be before `pulumi up`, on a Docker engine that is there."""
    with engine.connect(address) as client:
        engine.check_machine(client, settings)
        ownership.check(client, stack, state, settings)
        if address == settings.docker_host:
            lost_ports.free(client, stack.name, settings, address)
            engine.check_ports(client, settings)
        _bring_images(stack, settings, address)
        ownership.claim(client, stack)
        repair(client, stack)


def edge_of(stack: Stack, settings: Settings, found: Renewal | None) -> Edge:
    """Return how to reach the stack from this machine.

    With ACME the public CAs are trusted. Until the CA has issued a certificate, and where nobody trusts the CA (Let's
    Encrypt's staging, one of somebody's own), so is what the ACME client says it serves.
    """
    everywhere = settings.bind_address == "0.0.0.0"  # noqa: S104
    address = (stack.outputs().get("publicIp") or LOOPBACK) if everywhere else settings.bind_address
    if found:
        trusted = settings.extra_ca + ("" if found.issued and settings.acme.publicly_trusted else found.chain)
        return Edge(host=settings.matrix_host, address=address, ca_file=None, trusted=trusted)
    return Edge(host=settings.matrix_host, address=address, ca_file=stack.ca_file if stack.ca_file.exists() else None)


def save_ca(stack: Stack, outputs: Mapping[str, Any]) -> None:
    """Write the CA certificate to where people find it; it is public."""
    certificate = outputs.get("caCertificate", "")
    if certificate and not (stack.ca_file.exists() and stack.ca_file.read_text() == certificate):
        stack.ca_file.write_text(certificate)


def _make_stack(stack: Stack) -> None:
    with step(f"Stack {stack.name}: config, state and secrets") as this:
        example = ROOT / f"Pulumi.{LOCAL_STACK}.example.yaml"
        if not stack.config_file.exists():
            if stack.name != LOCAL_STACK:
                raise StepFailed(
                    step=f"stack {stack.name}",
                    reason=f"{stack.config_file.name} does not exist",
                    remedy=f"write it; {example.name} is one to start from",
                )
            shutil.copyfile(example, stack.config_file)
        stack.select()
        if not make_missing(stack):
            this.reused()


def _settle_images(stack: Stack) -> Settings:
    """Decide once, on the first run, where images come from, and write it down in the stack's config.

    Nothing is decided for a stack whose config says it, nor for one on another machine.
    """
    texts, encrypted = stack.config()
    settings = parse(stack.name, texts, encrypted)
    if settings.target != "local" or texts.get("imageSource"):
        return settings
    with step("Where images come from") as this:
        this.say("asking the registry")
        source = pull.DockerSource(address=settings.docker_host)
        if pull.anyone_gives(settings, "conduit", ROOT, source):
            stack.set_config("imageSource", "registry")
            return stack.settings()
        stack.set_config("imageSource", "packages")
        if not pull.is_here(settings, "conduit", ROOT, source) and not texts.get("homeserver"):
            stack.set_config("homeserver", "synapse")
            print(
                "No registry answers and the Docker engine has no image of Conduit (no package of it exists anywhere): "
                f"{stack.config_file.name} now says homeserver: synapse, imageSource: packages."
            )
        else:
            print(f"No registry answers: {stack.config_file.name} now says imageSource: packages.")
        return stack.settings()


def _bring_images(stack: Stack, settings: Settings, address: str) -> None:
    """Bring what is pulled, and write down which mirror gave it: the program declares an image under that name."""
    found = pull.bring(settings, ROOT, pull.DockerSource(address=address))
    origins = origins_text(settings, found)
    if origins != ",".join(f"{name}={registry}" for name, registry in sorted(settings.image_origins.items())):
        stack.set_config("imageOrigins", origins)


def _wait_until_healthy(client: docker.DockerClient, stack: Stack) -> None:
    """Wait for the health checks of all services.

    `pulumi up` waits only when it creates a container: one that never became healthy is green at the next run.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while waiting := [each for each in engine.containers(client, stack.name) if not _has_ended_well(each)]:
        if time.monotonic() > deadline:
            worst = waiting[0]
            log = worst.logs(tail=5).decode(errors="replace").strip()
            raise StepFailed(
                step="Every container is healthy",
                reason="\n".join(
                    [", ".join(f"{each.name} is {engine.health(each)}" for each in waiting), *log.splitlines()]
                ),
                remedy=f"docker logs {worst.name} shows more; make status STACK={stack.name} says what else is wrong",
            )
        time.sleep(1)


def _has_ended_well(container: Container) -> bool:
    if container.labels.get(LABEL_ROLE) == "one-shot":
        return bool(container.attrs["State"]["ExitCode"] == 0)
    return engine.health(container) == "healthy"


def _wait_until_it_serves(stack: Stack, settings: Settings) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    with stack.docker_client() as client:
        while True:
            # Anew each time: the CA may issue meanwhile, and then another certificate is to be trusted.
            edge = edge_of(stack, settings, renewal(client, stack.name, settings))
            answer = edge.wait(settings.https_port, CLIENT_VERSIONS, _ROUND_SECONDS)
            if answer.status == HTTPStatus.OK or time.monotonic() > deadline:
                break
    if not answer.json().get("versions"):
        name = settings.matrix_host if settings.matrix_host != LOCALHOST else "this machine"
        raise StepFailed(
            step="Homeserver answers over TLS",
            reason=f"{settings.homeserver_url} on {name}: {answer.status or ''} {answer.text[:200]}".strip(),
            remedy=f"make status STACK={stack.name} says which part does not work",
        )


if __name__ == "__main__":
    command.run(main)
