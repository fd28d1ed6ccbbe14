"""The Docker engine on which a stack's containers are declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi
import pulumi_docker as docker

from ops import docker_host
from toolchain.steps import StepFailed


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
    incarnation: pulumi.Input[str] = ""
    """Changes with everything that boots the machine anew, such as its id and type: that is waited for. No blanks."""


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
    """The Docker engine of a stack. Its ``provider`` is handed to every component that declares something there.

    One over ssh is waited for before anything is declared there: on the provider's creation and on each of its updates,
    never in a preview.
    """

    provider: docker.Provider

    def __init__(self, name: str, args: DockerEngineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:DockerEngine", name, {}, opts)
        own = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        if isinstance(args.host, str):
            self.provider = docker.Provider(name, host=args.host, opts=own)
            self.register_outputs({"host": args.host})
            return
        host = args.host
        url = pulumi.Output.concat("ssh://", host.user, "@", host.address, ":", str(host.port))
        self.provider = docker.Provider(
            name,
            host=url,
            ssh_opts=pulumi.Output.all(host.host_key, host.incarnation).apply(
                lambda values: docker_host.ssh_options(*values)
            ),
            opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(hooks=_wait(name, host))),
        )
        # The commands find the host by these in the state (ops/stack.py).
        self.register_outputs(
            {
                "host": url,
                "address": host.address,
                "user": host.user,
                "port": host.port,
                "hostKey": host.host_key,
                "privateKey": pulumi.Output.secret(host.private_key),
            }
        )


def _wait(name: str, host: SshHost) -> pulumi.ResourceHookBinding:
    async def wait(_: pulumi.ResourceHookArgs) -> None:
        # Secrets come to a hook as Outputs; both are known by the time it runs.
        values = await pulumi.Output.all(host.address, host.host_key, host.private_key).future()
        if values is None:
            raise pulumi.RunError(f"the address of the Docker engine {name} is not known")
        address, host_key, private_key = values
        known = docker_host.DockerHost(
            address=address, user=host.user, port=host.port, host_key=host_key, private_key=private_key
        )
        try:
            docker_host.write_key(known)
            await docker_host.wait(known, pulumi.log.info)
        except StepFailed as failure:
            raise pulumi.RunError(str(failure)) from failure

    hook = pulumi.ResourceHook(f"{name}-answers", wait)
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
