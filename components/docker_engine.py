"""The Docker engine on which a stack's containers are declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi
import pulumi_docker as docker


@final
@dataclass(frozen=True, kw_only=True)
class DockerEngineArgs:
    """Inputs of :class:`DockerEngine`."""

    host: str
    """Address of the Docker engine, such as ``unix:///var/run/docker.sock``."""


@final
class DockerEngine(pulumi.ComponentResource):
    """The Docker engine of a stack. Its ``provider`` is handed to every component that declares something there."""

    provider: docker.Provider

    def __init__(self, name: str, args: DockerEngineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:DockerEngine", name, {}, opts)
        self.provider = docker.Provider(name, host=args.host, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"host": args.host})
