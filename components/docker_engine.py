"""The Docker engine on which a stack's containers are declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi
import pulumi_docker as docker


@final
@dataclass(frozen=True, kw_only=True)
class SshHost:
    """A machine whose Docker engine is reached over ssh. Its host key is known beforehand."""

    address: pulumi.Output[str]
    user: str
    port: int
    host_key: pulumi.Output[str]
    """Public key of the machine: ``ssh-ed25519 AAAA...``."""
    private_key: pulumi.Output[str]
    """Key to log in with, in OpenSSH's format. Secret."""


@final
@dataclass(frozen=True, kw_only=True)
class DockerEngineArgs:
    """Inputs of :class:`DockerEngine`."""

    host: str | SshHost
    """Address of the Docker engine, such as ``unix:///var/run/docker.sock``, or the machine it runs on."""
    after: tuple[pulumi.Resource, ...] = ()
    """What has to be there before the Docker engine can answer."""


@final
class DockerEngine(pulumi.ComponentResource):
    """The Docker engine of a stack. Its ``provider`` is handed to every component that declares something there."""

    provider: docker.Provider

    def __init__(self, name: str, args: DockerEngineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:DockerEngine", name, {}, opts)
        host: pulumi.Input[str] = args.host if isinstance(args.host, str) else _address(args.host)
        self.provider = docker.Provider(
            name, host=host, opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        )
        self.register_outputs({"host": host})


def _address(host: SshHost) -> pulumi.Output[str]:
    return pulumi.Output.concat("ssh://", host.user, "@", host.address, ":", str(host.port))
