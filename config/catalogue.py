"""Every image the program may run: where it is pulled from, and the recipe that builds a drop-in from packages.

The tag of a built image follows from its recipe alone, so that two clones agree on it and a second ``pulumi up``
builds nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, final

from config.errors import LockError

ImageName = Literal[
    "base",
    "toolbox",
    "nginx",
    "redis",
    "synapse",
    "dendrite",
    "conduit",
    "prometheus",
    "node-exporter",
    "blackbox-exporter",
    "mtail",
    "redis-exporter",
    "cadvisor",
    "alertmanager",
    "grafana",
    "python",
    "acme",
    "coturn",
]
ImageSource = Literal["registry", "packages"]

IMAGES_FOLDER: Final = "images"
INPUTS_FOLDER: Final = "inputs"
"""Folder inside a recipe that holds what `make images` prepared; git ignores it and the tag does not depend on it."""
LOCK_FILE: Final = "config/image-digests.json"
"""Below the project's folder: which content each reference of the catalogue has to have. `make pin` writes it."""


@final
@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One image of the catalogue."""

    name: ImageName
    version: str
    """Of the software inside, as the published image has it."""
    reference: str | None
    """Where it is pulled from, pinned; None for an image that is only ever built: the base of the others, and the ACME
    client, which is ours (docs/adr/0006)."""
    recipe: bool
    """Whether ``images/<name>`` builds a drop-in from packages. There is none for Conduit and Grafana, no package."""
    built_from: ImageName | None = None
    """The image that the recipe's Dockerfile is FROM."""
    inputs: tuple[str, ...] = ()
    """What `make images` has to prepare in the recipe's ``inputs`` folder before a build."""
    package_version: str = ""
    """Version of the software in the image that the recipe builds, where it differs from ``version``."""


CATALOGUE: Final[Mapping[ImageName, CatalogueEntry]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            CatalogueEntry(
                name="base", version="12", reference=None, recipe=True, inputs=("rootfs.tar",), package_version="12"
            ),
            CatalogueEntry(
                name="toolbox",
                version="1.37.0",
                # The musl build is static: the health probe is copied out of it into containers of another libc.
                reference="docker.io/library/busybox:1.37.0-musl",
                recipe=True,
                built_from="base",
                package_version="1.35.0",
            ),
            CatalogueEntry(
                name="nginx",
                version="1.28.0",
                reference="docker.io/library/nginx:1.28.0-alpine",
                recipe=True,
                built_from="base",
                package_version="1.22.1",
            ),
            CatalogueEntry(
                name="redis",
                version="7.2.5",
                reference="docker.io/library/redis:7.2.5-alpine",
                recipe=True,
                built_from="base",
                package_version="7.0.15",
            ),
            CatalogueEntry(
                name="synapse",
                version="1.163.2",
                reference="docker.io/matrixdotorg/synapse:v1.163.2",
                recipe=True,
                built_from="base",
                inputs=("wheels",),
                package_version="1.163.2",
            ),
            CatalogueEntry(
                name="dendrite",
                version="0.15.2",
                reference="docker.io/matrixdotorg/dendrite-monolith:v0.15.2",
                recipe=True,
                built_from="base",
                inputs=("bin",),
                package_version="0.15.2",
            ),
            CatalogueEntry(
                name="conduit",
                version="0.10.12",
                reference="docker.io/matrixconduit/matrix-conduit:v0.10.12",
                recipe=False,
            ),
            CatalogueEntry(
                name="prometheus",
                version="2.55.1",
                # The last of the second generation, whose command line and config Debian's has too.
                reference="docker.io/prom/prometheus:v2.55.1",
                recipe=True,
                built_from="base",
                package_version="2.42.0",
            ),
            CatalogueEntry(
                name="node-exporter",
                version="1.9.1",
                reference="docker.io/prom/node-exporter:v1.9.1",
                recipe=True,
                built_from="base",
                package_version="1.5.0",
            ),
            CatalogueEntry(
                name="blackbox-exporter",
                version="0.27.0",
                reference="docker.io/prom/blackbox-exporter:v0.27.0",
                recipe=True,
                built_from="base",
                package_version="0.23.0",
            ),
            CatalogueEntry(
                name="mtail",
                version="3.0.8",
                reference="ghcr.io/google/mtail:v3.0.8",
                recipe=True,
                built_from="base",
                package_version="3.0.0-rc50",
            ),
            CatalogueEntry(
                name="redis-exporter",
                version="1.74.0",
                reference="docker.io/oliver006/redis_exporter:v1.74.0",
                recipe=True,
                built_from="base",
                package_version="1.45.0",
            ),
            CatalogueEntry(
                name="cadvisor",
                version="0.52.1",
                reference="gcr.io/cadvisor/cadvisor:v0.52.1",
                recipe=True,
                built_from="base",
                inputs=("bin",),
                package_version="0.52.1",
            ),
            CatalogueEntry(
                name="alertmanager",
                version="0.28.1",
                reference="docker.io/prom/alertmanager:v0.28.1",
                recipe=True,
                built_from="base",
                package_version="0.25.0",
            ),
            CatalogueEntry(
                name="coturn",
                version="4.6.2",
                reference="docker.io/coturn/coturn:4.6.2-r12",
                recipe=True,
                built_from="base",
                package_version="4.6.1",
            ),
            CatalogueEntry(
                name="grafana",
                version="12.4.5",
                # The last line of its generation, which gets corrections longest.
                reference="docker.io/grafana/grafana:12.4.5",
                recipe=False,
            ),
            CatalogueEntry(
                # What runs in it is part of this project and comes in a config volume.
                name="python",
                version="3.11.14",
                reference="docker.io/library/python:3.11.14-slim-bookworm",
                recipe=True,
                built_from="base",
                package_version="3.11.2",
            ),
            CatalogueEntry(
                name="acme",
                # lego's, the library in it.
                version="4.25.2",
                reference=None,
                recipe=True,
                inputs=("bin",),
                package_version="4.25.2",
            ),
        )
    },
)

_DOCKER_HUB: Final = "docker.io/"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def project_root() -> Path:
    """Folder of the Pulumi project: where ``Pulumi.yaml`` and ``images/`` lie."""
    return Path(__file__).resolve().parent.parent


def recipe_hash(name: ImageName, root: Path) -> str:
    """Return the first 12 hex digits of a hash over what the image is made of.

    That is every file of its recipe (the prepared inputs excepted: they follow from the recipe) and the hash of the
    image that it is FROM.
    """
    entry = CATALOGUE[name]
    folder = root / IMAGES_FOLDER / name
    digest = hashlib.sha256()
    if entry.built_from is not None:
        digest.update(recipe_hash(entry.built_from, root).encode())
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] != INPUTS_FOLDER:
            content = path.read_bytes()
            digest.update(f"{relative.as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:12]


def recipe_tag(name: ImageName, root: Path) -> str:
    """Return the tag that an image built from its recipe carries, such as ``matrix-homeserver/nginx:0123456789ab``."""
    return f"matrix-homeserver/{name}:{recipe_hash(name, root)}"


def inputs_folder(name: ImageName, root: Path) -> Path:
    """Return the folder in which the recipe of an image finds what `make images` prepared."""
    return root / IMAGES_FOLDER / name / INPUTS_FOLDER


def missing_inputs(name: ImageName, root: Path) -> list[Path]:
    """Return the prepared inputs that a build of an image needs and that are not there."""
    paths = [inputs_folder(name, root) / each for each in CATALOGUE[name].inputs]
    return [path for path in paths if not path.exists()]


def is_built(name: ImageName, source: ImageSource) -> bool:
    """Return whether an image is built here: where packages are the source, and where nobody publishes it."""
    entry = CATALOGUE[name]
    return entry.recipe and (source == "packages" or entry.reference is None)


def registry_reference(name: ImageName, prefix: str) -> str:
    """Return the reference an image is pulled by, rewritten to ``prefix`` where one is set.

    A bare host (``mirror.example``) is taken for a mirror that keeps the whole path; a host with a namespace
    (``registry.example/team``) for a registry of one's own, where repositories have one level (so Aliyun's ACR).

    Raises:
        ValueError: the image is not published anywhere.

    """
    reference = CATALOGUE[name].reference
    if reference is None:
        message = f"the image {name!r} is only built, never pulled"
        raise ValueError(message)
    # Docker Hub's own references are named without its host, as the Docker engine names them in `docker images`:
    # an image that somebody loaded by hand under that name is then found.
    if not prefix:
        return reference.removeprefix(_DOCKER_HUB).removeprefix("library/")
    path = reference.partition("/")[2]
    prefix = prefix.rstrip("/")
    return f"{prefix}/{path.rsplit('/', 1)[-1]}" if "/" in prefix else f"{prefix}/{path}"


def published_at(name: ImageName) -> str:
    """Return the registry that an image is published at, as people call it."""
    host = (CATALOGUE[name].reference or "").partition("/")[0]
    return "Docker Hub" if f"{host}/" == _DOCKER_HUB else host


def locked_digests(root: Path) -> Mapping[str, str]:
    """Return the digest (``sha256:...``) of each reference of the catalogue that the lock pins.

    Raises:
        LockError: the lock is not there or holds something else. To go on without would be to pull by tag what a
            person has pinned.

    """
    try:
        digests = json.loads((root / LOCK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LockError(f"{LOCK_FILE} cannot be read ({error}): restore it from git") from error
    if not isinstance(digests, dict):
        raise LockError(f"{LOCK_FILE} has to be an object of references and digests: restore it from git")
    wrong = [key for key, digest in digests.items() if not (isinstance(digest, str) and _DIGEST.fullmatch(digest))]
    if wrong:
        raise LockError(f"{LOCK_FILE}: what stands at {wrong[0]} is not sha256: and 64 hexadecimal digits: make pin")
    return digests


def pinned_digest(name: ImageName, root: Path) -> str | None:
    """Return the digest that the lock pins an image to, if it does."""
    return locked_digests(root).get(CATALOGUE[name].reference or "")


def image_reference(name: ImageName, source: ImageSource, prefix: str, root: Path) -> str:
    """Return the name under which containers use an image: the tag of its recipe, or the reference to pull.

    A reference that the lock pins ends in its digest: the Docker engine then starts that content or nothing, whoever
    pulls it and from wherever. What has no recipe (Conduit) is always a reference; it may be in the Docker engine
    already.
    """
    if is_built(name, source):
        return recipe_tag(name, root)
    digest = pinned_digest(name, root)
    return registry_reference(name, prefix) + (f"@{digest}" if digest else "")


def software_version(name: ImageName, source: ImageSource) -> str:
    """Return the version of the software in the image that the given source yields."""
    entry = CATALOGUE[name]
    return entry.package_version if is_built(name, source) else entry.version
