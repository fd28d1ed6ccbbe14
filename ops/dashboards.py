"""`make dashboards`: where what was measured is looked at; for a host over ssh, the tunnel that leads there.

There is no tunnel where Nginx shows it over HTTPS (setting ``dashboards``).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from config.monitoring import DASHBOARDS_USER
from config.settings import LOOPBACK
from ops import command, docker_host, engine
from ops.docker_host import DockerHost
from ops.stack import from_arguments, require
from toolchain.steps import StepFailed

_TUNNEL_SECONDS: Final = 30


def main() -> None:
    """Print the addresses; with a host over ssh, keep the tunnel to them open until Ctrl-C."""
    stack = require(from_arguments("show where what was measured is looked at"))
    outputs = stack.outputs()
    pages = addresses(outputs, stack.name)
    about = [*about_password(pages, stack.name), about_grafana(outputs, stack.name)]
    host = None if about_password(pages, stack.name) else stack.remote_host()
    if host is None:
        show(pages)
        print("\n".join(about))
        return
    docker_host.write_key(host)
    _tunnel(host, pages, outputs["monitoring"]["ports"], about)


def addresses(outputs: Mapping[str, Any], stack: str) -> Mapping[str, str]:
    """Return the address of each page.

    Raises:
        StepFailed: the stack, as it is deployed, is not monitored.

    """
    pages: Mapping[str, str] = outputs.get("monitoring", {}).get("urls", {})
    if not pages:
        raise StepFailed(
            step="monitoring",
            reason=f"the stack {stack} has none: its setting `monitoring` is off, or was at the last `make up`",
            remedy=f"pulumi config set monitoring lite --stack {stack} (or full, from tier 2C4G on)\n"
            f"make up STACK={stack}",
        )
    return pages


def show(pages: Mapping[str, str]) -> None:
    """Print the addresses."""
    for name, url in pages.items():
        print(f"{name.capitalize():<12}  {url}/", flush=True)


def about_password(pages: Mapping[str, str], stack: str) -> list[str]:
    """Return how to get past Nginx, where it shows the pages."""
    if not any(url.startswith("https:") for url in pages.values()):
        return []
    found = f"pulumi config get dashboardsPassword --stack {stack}"
    return [f"Nginx asks for the name {DASHBOARDS_USER} and a password: {found}"]


def about_grafana(outputs: Mapping[str, Any], stack: str) -> str:
    """Return how to log in to Grafana, or why there is none."""
    if "grafana" in addresses(outputs, stack):
        found = f"pulumi config get grafanaAdminPassword --stack {stack}"
        return f"Log in to Grafana as {DASHBOARDS_USER}; its password: {found}"
    if outputs["monitoring"]["level"] == "full":
        return "There is no Grafana: it comes from a registry only, and this stack builds its images (imageSource)."
    return "There is no Grafana: it comes with `monitoring: full`."


def forwarding(ports: Mapping[str, int]) -> list[str]:
    """Return ssh's options for a tunnel from this machine's loopback interface to that of the host."""
    options = ["-N", "-o", "ExitOnForwardFailure=yes"]
    for port in ports.values():
        options += ["-L", f"{LOOPBACK}:{port}:{LOOPBACK}:{port}"]
    return options


def _tunnel(host: DockerHost, pages: Mapping[str, str], ports: Mapping[str, int], about: Iterable[str]) -> None:
    taken = [(name, port) for name, port in ports.items() if not engine.is_free(LOOPBACK, port)]
    if taken:
        name, port = taken[0]
        raise StepFailed(
            step="tunnel",
            reason=f"{LOOPBACK}:{port} of this machine is in use by another program, or by another such tunnel",
            remedy="stop that program (`ss -ltnp` names it), or choose another port: "
            f"pulumi config set {name}Port {port + 1}, and make up",
        )
    process = subprocess.Popen(
        docker_host.command(host, options=forwarding(ports)),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if _is_open(process, ports):
            show(pages)
            print("\n".join(about))
            print(f"The tunnel to {host.address} is open until Ctrl-C.", flush=True)
        _, said = process.communicate()
    except KeyboardInterrupt:
        print("\nThe tunnel is closed.")
        return
    finally:
        process.terminate()
    raise StepFailed(
        step=f"tunnel to {host.address}",
        reason=f"ssh has ended: {said.strip() or 'it does not say why'}",
        remedy="run the same command again; `make status` says whether the host answers",
    )


def _is_open(process: subprocess.Popen[str], ports: Mapping[str, int]) -> bool:
    """Wait until ssh listens, or has ended."""
    deadline = time.monotonic() + _TUNNEL_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if not any(engine.is_free(LOOPBACK, port) for port in ports.values()):
            return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    command.run(main)
