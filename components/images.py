"""The images a stack needs, brought to its Docker engine: pulled from a registry or built from packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pulumi
import pulumi_docker as docker

from components.container import Image
from config.catalogue import (
    CATALOGUE,
    IMAGES_FOLDER,
    ImageName,
    ImageSource,
    image_reference,
    is_built,
    missing_inputs,
    recipe_hash,
)


@final
@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """Inputs of :class:`Images`."""

    source: ImageSource
    registries: Mapping[ImageName, str]
    """The images that containers of this stack run, and the registry that each is pulled from; empty is Docker Hub."""
    root: Path
    """Folder of the project, which holds the recipes."""


@final
class Images(pulumi.ComponentResource):
    """The images of a stack, by name."""

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:Images", name, {}, opts)
        self._args = args
        self._images: dict[ImageName, Image] = {}
        for each in args.registries:
            self._declare(each)
        self.register_outputs({"references": {each: image.reference for each, image in self._images.items()}})

    def __getitem__(self, name: ImageName) -> Image:
        """Return a declared image."""
        return self._images[name]

    def _declare(self, name: ImageName) -> Image:
        if name in self._images:
            return self._images[name]
        args = self._args
        reference = image_reference(name, args.source, args.registries.get(name, ""), args.root)
        built = is_built(name, args.source)
        self._images[name] = Image(
            reference=reference, resource=self._build(name, reference) if built else self._pull(name, reference)
        )
        return self._images[name]

    def _pull(self, name: ImageName, reference: str) -> docker.RemoteImage:
        return docker.RemoteImage(
            f"{name}-image", name=reference, keep_locally=True, opts=pulumi.ResourceOptions(parent=self)
        )

    def _build(self, name: ImageName, tag: str) -> docker.RemoteImage:
        built_from = CATALOGUE[name].built_from
        base = self._declare(built_from) if built_from else None
        return docker.RemoteImage(
            f"{name}-image",
            name=tag,
            build=docker.RemoteImageBuildArgs(
                # Relative: an absolute path would mean a replacement in every other clone.
                context=f"{IMAGES_FOLDER}/{name}",
                build_args={"BASE": base.reference} if base else None,
                # BuildKit ignores the provider's host: a build for a host over ssh would happen on this machine.
                use_legacy_builder=True,
            ),
            triggers={"recipe": recipe_hash(name, self._args.root)},
            keep_locally=True,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[base.resource] if base else None, hooks=self._inputs_hook(name)
            ),
        )

    def _inputs_hook(self, name: ImageName) -> pulumi.ResourceHookBinding:
        """Make a build without its prepared inputs fail with a sentence. It runs only when something is to be built."""

        def check(_: pulumi.ResourceHookArgs) -> None:
            if missing_inputs(name, self._args.root):
                raise pulumi.RunError(
                    f"what the image {name} is built from is not prepared: run `make images`, and this again"
                )

        return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook(f"{name}-image-inputs", check)])
