"""The Docker engine of a stack, as the commands see it."""

from __future__ import annotations

import errno
import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any, Final

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

from components.container import LABEL_STACK
from config.settings import LOOPBACK, Settings
from config.tiers import TIERS
from toolchain.steps import StepFailed

_LOOKS_EVERY: Final = 0.05
_HEADER_BYTES: Final = 8
_ROOM_MEBIBYTES = 1024
"""Less than any homeserver's image takes while it is built. A build that failed has given its own space back."""


@contextmanager
def connect(address: str, timeout: int = 60) -> Iterator[docker.DockerClient]:
    """Connect to a Docker engine.

    Raises:
        StepFailed: it does not answer.

    """
    try:
        client = docker.DockerClient(base_url=address, timeout=timeout)
        client.ping()
    except DockerException as error:
        raise StepFailed(
            step="Docker engine",
            reason=f"nothing answers at {address}: {error}",
            remedy="start it, or set dockerHost to where it listens",
        ) from error
    try:
        yield client
    finally:
        client.close()


def containers(client: docker.DockerClient, stack: str) -> list[Container]:
    """Return the containers of a stack, running or not."""
    # The library asks for each of a list by itself, and a one-shot, or somebody's `docker rm`, may end in between.
    label = f"{LABEL_STACK}={stack}"
    return list(client.containers.list(all=True, ignore_removed=True, filters={"label": label}))


def health(container: Container) -> str:
    """Return "healthy", or what it is instead ("unhealthy", "starting", "exited", "cut off from …")."""
    state = container.attrs["State"]
    networks = container.attrs.get("NetworkSettings", {}).get("Networks", {})
    # Its own health check asks from inside; ops/repair.py says how it comes to this.
    if state["Running"] and not all(network["EndpointID"] for network in networks.values()):
        return f"cut off from {', '.join(name for name, network in networks.items() if not network['EndpointID'])}"
    return str(state.get("Health", {}).get("Status", state["Status"]) if state["Running"] else state["Status"])


def execute(
    container: Container,
    command: Sequence[str],
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> tuple[int, str]:
    """Run a command in a running container and return its exit code and what it printed.

    Args:
        container: where to run it, as the user of that container.
        command: program and arguments. `docker events` shows them: no secrets in them.
        stdin: text for its standard input.
        environment: of the command, beside the container's.
        seconds: that it may take.

    Raises:
        StepFailed: it has not ended by then.

    """
    api: Any = container.client.api  # type: ignore[union-attr] # a container that a client gave has it
    made = api.exec_create(container.id, list(command), stdin=True, environment=dict(environment or {}))["Id"]
    stream: Any = api.exec_start(made, socket=True)
    # What the library has read ahead is lost to who reads from the socket, its own `exec_run` among them: of quick
    # commands over ssh one in eight seemed to have printed nothing. For a Unix socket it hands out a reader, which
    # cannot end the input, around the socket, which can.
    reader, connection = stream._response.raw._fp.fp, stream._sock  # noqa: SLF001
    # Not by `timeout` in the container: busybox' leaves a dead process behind, which nobody there buries.
    patience = threading.Timer(seconds, connection.shutdown, (socket.SHUT_RDWR,))
    patience.start()
    try:
        connection.sendall(stdin.encode())
        connection.shutdown(socket.SHUT_WR)
        output = b"".join(_frames(reader))
        while (code := api.exec_inspect(made)["ExitCode"]) is None and patience.is_alive():
            time.sleep(_LOOKS_EVERY)
    finally:
        patience.cancel()
        stream.close()
    if code is None:
        raise StepFailed(
            step=str(container.name),
            reason=f"{command[0]} has not ended within {seconds:.0f} s",
            remedy=f"docker logs {container.name} shows more",
        )
    return int(code), output.decode(errors="replace")


def _frames(reader: io.BufferedReader) -> Iterator[bytes]:
    """Read both outputs of a command: four bytes say which it is, four how much follows (Docker API, "Attach")."""
    while len(header := reader.read(_HEADER_BYTES)) == _HEADER_BYTES:
        yield reader.read(int.from_bytes(header[4:]))


def has_image(client: docker.DockerClient, reference: str) -> bool:
    """Return whether the Docker engine has an image under this name."""
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def check_machine(client: docker.DockerClient, settings: Settings) -> None:
    """Check that the machine has the processors that the tier's containers may use, and its Docker engine's folder.

    Raises:
        StepFailed: it has fewer; the Docker engine refuses such a container half-way through an `up`. Or the folder is
            another: the monitoring would find no containers in it.

    """
    info = _info(client)
    cores, root = int(info["NCPU"]), str(info["DockerRootDir"])
    if settings.monitoring == "full" and settings.docker_root and root != settings.docker_root:
        raise StepFailed(
            step="Docker engine",
            reason=f"it keeps its containers in {root}; the setting dockerRoot says {settings.docker_root}",
            remedy=f"pulumi config set dockerRoot {root}",
        )
    tier = TIERS[settings.tier]
    wanted = max(budget.cpus for budget in tier.budgets.values())
    if wanted > cores:
        raise StepFailed(
            step="machine",
            reason=f"tier {tier.name} gives a container up to {wanted:g} processors; this machine has {cores}",
            remedy="choose a smaller tier: pulumi config set tier 1C1G",
        )


def _info(client: docker.DockerClient) -> Mapping[str, Any]:
    info: Mapping[str, Any] = client.info()
    return info


def remedy_of_a_full_disk(address: str) -> str:
    """Return what to do where a Docker engine of this machine has hardly any disk left; "" where it has some."""
    with connect(address) as client:
        root = str(_info(client)["DockerRootDir"])
    try:
        left = shutil.disk_usage(root).free >> 20
    except OSError:  # it is another machine's
        return ""
    if left >= _ROOM_MEBIBYTES:
        return ""
    return (
        f"the disk of {root} has {left} MiB left: make room, then run the same command again; what was done already "
        "stays done. `docker image prune` and `docker builder prune` remove what Docker keeps and nobody needs"
    )


def places(settings: Settings) -> Mapping[str, tuple[str, int]]:
    """Return the addresses and ports that a stack publishes, by the settings that say them."""
    wanted = {"httpPort": settings.http_port, "httpsPort": settings.https_port}
    if settings.federation:
        wanted["federationPort"] = settings.federation_port
    if settings.calls.turn:
        wanted["turnPort"] = settings.calls.turn_port
    found = {name: (settings.bind_address, port) for name, port in wanted.items()}
    if settings.monitoring != "off":
        found["prometheusPort"] = (LOOPBACK, settings.prometheus_port)
    if settings.grafana:
        found["grafanaPort"] = (LOOPBACK, settings.grafana_port)
    return found


def published_ports(container: Container) -> set[int]:
    """Return the ports of its machine that a container has, or was declared with.

    Both: one that dies again and again, or was cut off its network, shows none and keeps those it was declared with;
    and of one that was declared with no port of the machine's (`docker run -P`) the engine tells only where it put it.
    """
    declared = container.attrs["HostConfig"]["PortBindings"] or {}
    texts = {
        str(binding["HostPort"])
        for bindings in (*declared.values(), *(container.ports or {}).values())
        for binding in bindings or ()
    }
    return {int(text) for text in texts if text.isdecimal()}  # "" is "any", "8000-8010" any of these


def check_ports(client: docker.DockerClient, settings: Settings) -> None:
    """Check that the address is this machine's, and that the ports are free, or held by this stack's own Nginx.

    Raises:
        StepFailed: some are taken. Pulumi would leave a container in state "Created" behind.

    """
    if not _is_here(settings.bind_address) and IPv4Address(settings.bind_address) not in settings.subnet:
        raise StepFailed(
            step="ports",
            reason=f"{settings.bind_address} (bindAddress) is no address of this machine",
            remedy="`ip -4 address` lists them: pulumi config set bindAddress 127.0.0.1, or 0.0.0.0 for all",
        )
    running = (each for each in containers(client, settings.stack) if each.status == "running")
    own = {port for container in running for port in published_ports(container)}
    taken = {
        name: (address, port)
        for name, (address, port) in places(settings).items()
        if port not in own and not is_free(address, port)
    }
    if taken:
        raise StepFailed(
            step="ports",
            reason="\n".join(
                f"{address}:{port} ({name}) is in use by another program" for name, (address, port) in taken.items()
            ),
            remedy="stop that program (`ss -ltnp` names it), or choose another port: "
            + "; ".join(f"pulumi config set {name} {_another(port)}" for name, (_, port) in taken.items()),
        )


def _another(port: int) -> int:
    unprivileged = 1024
    return port + 8000 if port < unprivileged else port + 1


def is_free(address: str, port: int) -> bool:
    """Return whether nothing of this machine listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            # A port below 1024 that this user may not bind; the Docker engine, which binds it, may. Ask whether
            # something listens there instead.
            return probe.connect_ex((address, port)) != 0
        except OSError as error:
            # The gateway of the stack's own network comes with the network.
            return error.errno == errno.EADDRNOTAVAIL
    return True


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True
