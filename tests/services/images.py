"""The images that are built from packages, for tests that run one of them by itself."""

from __future__ import annotations

import docker

from config.catalogue import CATALOGUE, ImageName, project_root, recipe_tag
from ops import images
from ops.engine import has_image


def built(client: docker.DockerClient, name: ImageName) -> str:
    """Return the tag of an image, built now if the Docker engine has not got it."""
    root = project_root()
    tag = recipe_tag(name, root)
    if not has_image(client, tag):
        base = CATALOGUE[name].built_from
        arguments = {"BASE": built(client, base)} if base else {}
        images.prepare([name])
        client.images.build(path=str(root / "images" / name), tag=tag, buildargs=arguments, rm=True)
    return tag
