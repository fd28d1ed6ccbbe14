"""Which images a stack needs."""

from __future__ import annotations

from config.catalogue import ImageName
from config.homeservers import HOMESERVERS
from config.settings import Settings


def images_of(settings: Settings) -> tuple[ImageName, ...]:
    """Return the images that the containers of a stack run, and those they are built from."""
    names: list[ImageName] = ["toolbox", "nginx", HOMESERVERS[settings.homeserver].image]
    if settings.redis:
        names.append("redis")
    if settings.image_source == "packages":
        names.insert(0, "base")
    return tuple(names)
