"""Which images a stack needs, and which registry each is declared from."""

from __future__ import annotations

from collections.abc import Mapping

from config.catalogue import ImageName, is_built
from config.homeservers import HOMESERVERS
from config.settings import Settings


def images_of(settings: Settings) -> tuple[ImageName, ...]:
    """Return the images that the containers of a stack run, and those they are built from."""
    names: list[ImageName] = ["toolbox", "nginx", HOMESERVERS[settings.homeserver].image]
    if settings.redis:
        names.append("redis")
    if settings.monitoring != "off":
        names += ["prometheus", "alertmanager", "node-exporter", "blackbox-exporter"]
    if settings.monitoring == "full":
        names += ["mtail", "cadvisor"]
        if settings.redis:
            names.append("redis-exporter")
    if settings.grafana:
        names.append("grafana")
    if settings.monitoring == "full" or settings.alerting.alerts:
        names.append("python")
    if settings.certificates != "self-signed":
        names.append("acme")
    if settings.calls.turn:
        names.append("coturn")
    if settings.image_source == "packages":
        names.insert(0, "base")
    return tuple(names)


def pulled_images_of(settings: Settings) -> tuple[ImageName, ...]:
    """Return those images that come from a registry and are not built here."""
    return tuple(name for name in images_of(settings) if not is_built(name, settings.image_source))


def registries_of(settings: Settings) -> tuple[str, ...]:
    """Return the registries of a stack in the order in which they are tried; an empty one is Docker Hub."""
    first = settings.registry_prefix.rstrip("/")
    return (first, *(each for each in (other.rstrip("/") for other in settings.registry_mirrors) if each != first))


def registry_of(name: ImageName, settings: Settings) -> str:
    """Return the registry under whose name the program declares an image.

    That is the one it came from: the Docker engine finds a pinned image by name and digest only under the name that it
    was pulled by. A registry that is no longer among the settings does not count.
    """
    registries = registries_of(settings)
    origin = settings.image_origins.get(name, "").rstrip("/")
    return origin if origin in registries[1:] else registries[0]


def origins_text(settings: Settings, found: Mapping[ImageName, str]) -> str:
    """Return what the setting ``imageOrigins`` has to say once images were found at these registries."""
    mirrors = registries_of(settings)[1:]
    origins = {**settings.image_origins, **{str(name): registry for name, registry in found.items()}}
    return ",".join(f"{name}={registry}" for name, registry in sorted(origins.items()) if registry in mirrors)
