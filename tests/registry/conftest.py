"""A registry with images that are built here from packages, under the catalogue's names."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from config.catalogue import ImageName, registry_reference
from tests.registry import servers
from tests.services.images import built
from toolchain.places import Places


@dataclass
class Registry:
    """A running registry, what was pushed into it, and what tests pulled from it or from servers in front of it."""

    host: str
    client: docker.DockerClient
    pushed: dict[str, str] = field(default_factory=dict)
    """Digest by reference."""
    hosts: set[str] = field(default_factory=set)

    def push(self, name: ImageName, registry: str, built_as: ImageName | None = None) -> str:
        """Push a variant of a built image as the catalogue names it, and return its digest.

        A variant, with a layer of its own: the Docker engine fetches nothing of an image that it has already. It is
        removed from the engine after the push, so that every pull is one.
        """
        reference = registry_reference(name, registry)
        dockerfile = f"FROM {built(self.client, built_as or name)}\nLABEL variant={uuid.uuid4().hex}\nCOPY variant /\n"
        self.client.images.build(
            fileobj=_context({"Dockerfile": dockerfile.encode(), "variant": os.urandom(200_000)}),
            custom_context=True,
            tag=reference,
            rm=True,
        )
        for event in self.client.api.push(reference, stream=True, decode=True):
            assert "error" not in event, event
            if "Digest" in event.get("aux", {}):
                self.pushed[reference] = event["aux"]["Digest"]
        self.client.images.remove(reference)
        return self.pushed[reference]

    def clear(self) -> None:
        """Remove from the Docker engine what was pulled from here: names that begin with a host of ours."""
        for image in self.client.images.list():
            for each in [*image.tags, *(image.attrs.get("RepoDigests") or [])]:
                if each.split("/")[0] in self.hosts:
                    try:
                        self.client.images.remove(each)
                    except ImageNotFound:
                        continue  # a digest goes with the last tag of its repository


def _context(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry."""
    places = Places.of(os.environ)
    places.make()
    client = docker.from_env(timeout=300)
    with servers.running_registry(tmp_path_factory.mktemp("registry"), places) as host:
        made = Registry(host=host, client=client, hosts={host})
        try:
            yield made
        finally:
            made.clear()
            client.close()


@dataclass
class Mirrors:
    """Servers that misbehave, started when they are asked for."""

    registry: Registry
    _stack: ExitStack

    def _enter(self, server: Any) -> str:  # noqa: ANN401 (any context manager that gives a host)
        host: str = self._stack.enter_context(server)
        self.registry.hosts.add(host)
        return host

    def down(self) -> str:
        """Nothing listens."""
        return f"127.0.0.1:{servers.free_port()}"

    def silent(self) -> str:
        """Takes connections and never answers."""
        return self._enter(servers.silent())

    def forbidding(self) -> str:
        """Answers 403."""
        return self._enter(servers.serving(servers.Forbidden))

    def resetting(self) -> str:
        """Resets the connection in the middle of a blob."""
        return self._enter(servers.in_front_of(self.registry.host, servers.reset))

    def stalling(self) -> str:
        """Stops sending in the middle of a blob."""
        return self._enter(servers.in_front_of(self.registry.host, servers.stalled))

    def tampering(self) -> str:
        """Sends blobs of another content than their digest says."""
        return self._enter(servers.in_front_of(self.registry.host, servers.tampered))


@pytest.fixture
def mirrors(registry: Registry) -> Iterator[Mirrors]:
    with ExitStack() as stack:
        yield Mirrors(registry, stack)
