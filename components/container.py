"""The one helper that declares a container: hardened and budgeted, whatever runs in it.

Facts about pulumi-docker that shaped it are in docs/architecture.md, section "Containers".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, final

import pulumi
import pulumi_docker as docker

from config.tiers import Budget

PROBE_MOUNT: Final = "/probe"
BUSYBOX: Final = f"{PROBE_MOUNT}/busybox"
CONFIG_MOUNT: Final = "/config"
DATA_MOUNT: Final = "/data"

HEALTH_INTERVAL_SECONDS: Final = 10
"""`pulumi up` waits one interval for each container, and each probe costs the Docker engine some 60 ms of processor."""

LOG_DRIVER: Final = "json-file"
LOG_OPTS: Final = MappingProxyType({"max-size": "10m", "max-file": "3"})
"""A host's daemon states the same ones: it merges its own into each container's, which is a change at every run."""

REPLACE_ON_CHANGES: Final = ("init", "mounts", "tmpfs")
"""The provider takes a change of these for an update, does nothing and reports success: the old ones keep running."""

LABEL_STACK: Final = "matrix.stack"
LABEL_ROLE: Final = "matrix.role"

Role = Literal["service", "one-shot"]


@final
@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that a container runs: the name the Docker engine knows it by, and the resource that brings it there."""

    reference: str
    resource: docker.RemoteImage


@final
@dataclass(frozen=True, kw_only=True)
class ServiceHost:
    """Where services are declared, and what they have in common there."""

    prefix: str
    """Every container, volume and network of the stack has a name that begins with it."""
    stack: str
    toolbox: Image
    """Busybox: seeds run in it, and the health probe comes out of it."""
    one_shot: Budget
    seeds: list[docker.Container] = field(default_factory=list)
    """The seeds that were declared so far, in order; see :class:`components.seed.Seed`."""

    def labels(self, role: Role) -> Mapping[str, str]:
        """Return the labels by which the commands in ``ops/`` know a container of this stack."""
        return {LABEL_STACK: self.stack, LABEL_ROLE: role}


@final
@dataclass(frozen=True, kw_only=True)
class Mount:
    """A volume inside a container."""

    volume: pulumi.Input[str]
    target: str
    read_only: bool = True


@final
@dataclass(frozen=True, kw_only=True)
class HostPath:
    """A file or folder of the machine inside a container, read-only. Never one from which the Docker socket is reached.

    The Docker API is as good as root on the machine; tests/contract/test_policy.py holds every container to it.
    """

    source: str
    target: str


@final
@dataclass(frozen=True, kw_only=True)
class NetworkAttachment:
    """A network that a container joins."""

    network: pulumi.Input[str]
    address: str | None = None
    aliases: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """A port of a container that is reachable from outside the Docker engine."""

    internal: int
    external: int
    address: str
    protocol: Literal["tcp", "udp"] = "tcp"


@final
@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What distinguishes one container from another; the rest is the same for all of them."""

    image: Image
    user: int
    """Numeric user and group, not root. Process limits count per user, so each service has one of its own."""
    group: int | None = None
    """Another group than the user's own: whoever is in it reads what the container writes."""
    budget: Budget
    processes: int
    """Upper bound of processes and threads (``RLIMIT_NPROC``; the provider has no pids limit, see docs/security.md)."""
    entrypoint: Sequence[str] | None = None
    command: Sequence[pulumi.Input[str]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Never secrets: ``docker inspect`` shows it."""
    mounts: Sequence[Mount] = ()
    host_paths: Sequence[HostPath] = ()
    devices: Sequence[str] = ()
    """Devices of the machine that it may read."""
    capabilities: Sequence[str] = ()
    """What it may do beyond what its user may. Nothing, for nearly all."""
    temporary: int = 16
    """Size of the file system in memory on /tmp, in MiB; it counts against the memory limit."""
    networks: Sequence[NetworkAttachment] = ()
    dns: Sequence[str] = ()
    """Resolvers; empty: those of the Docker engine."""
    ports: Sequence[PublishedPort] = ()
    health: Sequence[str] | None = None
    """Command that asks the service whether it serves. Required of services."""
    grace_seconds: int = 30
    """How long the process may take to stop. Without it the provider kills at once, whatever ``stop_timeout`` says."""


def go_memory_limit(budget: Budget) -> str:
    """Return from where on Go's garbage collector works harder (``GOMEMLIMIT``): it does not see limits by itself."""
    return f"{budget.memory * 9 // 10}MiB"


def go_duration(seconds: int) -> str:
    """Return seconds as Go prints a duration; another spelling of the same one is a change at every run."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def decimal_cpus(cpus: float) -> str:
    """Return a number of cores as the Docker engine gives it back: ``1.0``; a plain ``1`` is replaced at every run."""
    return str(float(cpus))


def http_probe(port: int, path: str) -> Sequence[str]:
    """Return a health check that asks over HTTP, with the busybox that every container has on /probe.

    Without ``-T``: Debian's static busybox 1.35 dies of it. The Docker engine ends a probe that hangs.
    """
    return [
        "CMD",
        BUSYBOX,
        "wget",
        "-q",
        "-O",
        "/dev/null",
        f"http://127.0.0.1:{port}{path}",
    ]


def _mounts(spec: ContainerSpec) -> list[docker.ContainerMountArgs]:
    volumes = [
        docker.ContainerMountArgs(type="volume", source=mount.volume, target=mount.target, read_only=mount.read_only)
        for mount in spec.mounts
    ]
    paths = [
        docker.ContainerMountArgs(type="bind", source=path.source, target=path.target, read_only=True)
        for path in spec.host_paths
    ]
    return volumes + paths


def _networks(networks: Sequence[NetworkAttachment]) -> list[docker.ContainerNetworksAdvancedArgs]:
    return [
        docker.ContainerNetworksAdvancedArgs(name=each.network, ipv4_address=each.address, aliases=each.aliases or None)
        for each in networks
    ]


def _ports(ports: Sequence[PublishedPort]) -> list[docker.ContainerPortArgs]:
    return [
        docker.ContainerPortArgs(
            internal=port.internal, external=port.external, ip=port.address, protocol=port.protocol
        )
        for port in ports
    ]


def service_container(
    name: str,
    host: ServiceHost,
    spec: ContainerSpec,
    opts: pulumi.ResourceOptions,
    *,
    wait_timeout: pulumi.Input[int],
) -> docker.Container:
    """Declare a container that runs for good: restarted when it dies, awaited until its health check passes.

    ``wait_timeout`` (seconds) also carries what has to be done before: being an input, it makes the container wait for
    the resources it was computed from, and being no reason for a replacement, it may be unknown in a preview.

    Raises:
        ValueError: the service has no health check.

    """
    if spec.health is None:
        raise ValueError(f"the service {name} has no health check")
    return docker.Container(
        name,
        name=f"{host.prefix}-{name}",
        read_only=True,
        restart="unless-stopped",
        must_run=True,
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=list(spec.health),
            interval=go_duration(HEALTH_INTERVAL_SECONDS),
            timeout=go_duration(5),
            start_period=go_duration(60),
            retries=3,
        ),
        wait=True,
        wait_timeout=wait_timeout,
        destroy_grace_seconds=spec.grace_seconds,
        stop_timeout=spec.grace_seconds,
        ports=_ports(spec.ports) or None,
        tmpfs={"/tmp": _temporary(spec)},  # noqa: S108 (in the container)
        **_common(host, spec, "service"),
        opts=pulumi.ResourceOptions.merge(opts, _options(spec)),
    )


def one_shot_container(
    name: str,
    host: ServiceHost,
    spec: ContainerSpec,
    opts: pulumi.ResourceOptions,
    *,
    run: pulumi.Input[str],
    uploads: Sequence[docker.ContainerUploadArgs] = (),
) -> docker.Container:
    """Declare a container that does one thing and ends.

    Its name ends in ``run``, which has to follow from what it does: another ``run`` is another run. A run that failed
    is a created resource all the same; see :func:`after`.
    """
    return docker.Container(
        name,
        name=pulumi.Output.concat(f"{host.prefix}-{name}-", run),
        # The engine refuses uploads to a read-only root, even where the target lies in a volume.
        read_only=not uploads,
        restart="no",
        must_run=False,
        attach=True,
        uploads=list(uploads) or None,
        **_common(host, spec, "one-shot"),
        opts=pulumi.ResourceOptions.merge(opts, _options(spec)),
    )


def after(*one_shots: docker.Container, seconds: int) -> pulumi.Output[int]:
    """Return ``seconds`` once all of these have ended well; see ``wait_timeout`` of :func:`service_container`.

    Raises:
        pulumi.RunError: at deployment, when one of them has failed: the provider itself reports no failure then.

    """
    ended = pulumi.Output.all(*[pulumi.Output.all(each.name, each.exit_code) for each in one_shots])

    def check(results: Sequence[tuple[str, int]]) -> int:
        for name, exit_code in results:
            if exit_code:
                raise pulumi.RunError(
                    f"the container {name} ended with exit code {exit_code}; `docker logs {name}` says why. "
                    "What ran before still runs. `make up` removes it and tries again."
                )
        return seconds

    return ended.apply(check)


def _temporary(spec: ContainerSpec) -> str:
    """Return the options of the file system in memory on /tmp.

    Owned by the service's user: where the image has no /tmp (Conduit's has none), the container runtime makes one, and
    when the container starts again gives the new file system the rights of that folder, in which only its owner writes.
    """
    return f"rw,noexec,nosuid,nodev,size={spec.temporary}m,mode=0700,uid={spec.user},gid={spec.user}"


def _common(host: ServiceHost, spec: ContainerSpec, role: Role) -> dict[str, Any]:
    memory = spec.budget.memory
    return {
        "image": spec.image.reference,
        "user": f"{spec.user}:{spec.user if spec.group is None else spec.group}",
        "entrypoints": spec.entrypoint,
        "command": spec.command,
        # The published Nginx asks for SIGQUIT: it would wait for long polls while its ports are closed already.
        "stop_signal": "SIGTERM",
        "envs": [f"{key}={value}" for key, value in sorted(spec.environment.items())],
        "mounts": _mounts(spec),
        "devices": [
            docker.ContainerDeviceArgs(host_path=device, container_path=device, permissions="r")
            for device in spec.devices
        ]
        or None,
        "network_mode": None if spec.networks else "none",
        "networks_advanced": _networks(spec.networks) or None,
        "dns": list(spec.dns) or None,
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(spec.capabilities) or None),
        "security_opts": ["no-new-privileges:true"],
        # Without memory_swap the provider finds a change at every run; equal to memory it means no swap.
        "memory": memory,
        "memory_swap": memory,
        "cpus": decimal_cpus(spec.budget.cpus),
        "ulimits": [
            # Not higher than what a Docker engine may have itself: without SYS_RESOURCE it cannot give more, and the
            # container does not start.
            docker.ContainerUlimitArgs(name="nofile", soft=8192, hard=8192),
            docker.ContainerUlimitArgs(name="nproc", soft=spec.processes, hard=spec.processes),
        ],
        "log_driver": LOG_DRIVER,
        "log_opts": dict(LOG_OPTS),
        "labels": [
            docker.ContainerLabelArgs(label=label, value=value) for label, value in sorted(host.labels(role).items())
        ],
    }


def _options(spec: ContainerSpec) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        depends_on=[spec.image.resource],
        replace_on_changes=list(REPLACE_ON_CHANGES),
        # A replacement that the Pulumi engine forces does not carry the provider's own "delete first", and a name or a
        # port is then taken twice. For a one-shot it does no harm: the volume that it once filled stays.
        delete_before_replace=True,
    )
