"""Where the Docker engine of a stack is, and what its life depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi

from components.docker_engine import SshHost
from config.settings import Settings


@final
@dataclass(frozen=True, kw_only=True)
class DockerLocation:
    """A Docker engine that is there, or one on a machine that this stack makes."""

    host: str | SshHost
    after: tuple[pulumi.Resource, ...] = ()
    """What has to be there before the Docker engine can answer."""
    machine: pulumi.Resource | None = None
    """With it everything on the Docker engine is gone, so that nothing there has to be deleted one by one."""

    def lives_there(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Tie a resource to the machine; to be handed to components, whose children take it over."""
        if self.machine is None or not args.type_.startswith("docker:"):
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(deleted_with=self.machine))
        return pulumi.ResourceTransformationResult(props=args.props, opts=opts)


def docker_location(settings: Settings) -> DockerLocation:
    """Return where the Docker engine of a stack is; on Aliyun, declare its host.

    Raises:
        pulumi.RunError: the stack is one on Aliyun, and the environment one for local stacks.

    """
    if settings.cloud is None:
        return DockerLocation(host=settings.docker_host)
    # Imported here: the SDK demands its plugin, which a local stack does without.
    try:
        from components.aliyun.cloud import Cloud  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if missing.name != "pulumi_alicloud":
            raise
        raise pulumi.RunError(
            f"{settings.stack} is a stack on Aliyun (target), and this shell has the environment of local stacks.\n"
            f"  do this:  make toolchain STACK={settings.stack} && export MATRIX_ENV=aliyun && . ./activate"
        ) from missing

    return Cloud("cloud", settings).docker
