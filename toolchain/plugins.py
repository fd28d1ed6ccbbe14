"""The Pulumi plugins, in a Pulumi home of our own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolchain import download, golang, versions
from toolchain.steps import step

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.places import Places, System
    from toolchain.steps import Step

_MARKER = "matrix-homeserver-source"
_PUBLISHED = "published"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A resource plugin.

    Attributes:
        name: as in the Python SDK's pulumi-plugin.json.
        version: as there.
        part: how it is built where it cannot be downloaded.
    """

    name: str
    version: str
    part: golang.Part


PLUGINS: Final = (
    Plugin(name="docker", version=versions.DOCKER_PLUGIN, part=golang.DOCKER),
    Plugin(name="tls", version=versions.TLS_PLUGIN, part=golang.TLS),
)
ALICLOUD: Final = Plugin(name="alicloud", version=versions.ALICLOUD_PLUGIN, part=golang.ALICLOUD)
"""For stacks on Aliyun only: it takes as long to build as all the others together."""
ALL: Final = (*PLUGINS, ALICLOUD)


def folder(plugin: Plugin, places: Places) -> Path:
    """Return where Pulumi installs the plugin."""
    return places.pulumi_home / "plugins" / f"resource-{plugin.name}-v{plugin.version}"


def is_installed(plugin: Plugin, places: Places, system: System) -> bool:
    """Say whether the plugin is installed whole: as published, or built from what is in toolchain/go now."""
    where = folder(plugin, places)
    if (where.parent / f"{where.name}.partial").exists() or not (where / plugin.part.program).is_file():
        return False
    try:
        source = (where / _MARKER).read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return source in {_PUBLISHED, golang.key(plugin.part, system)}


def provide_plugin(plugin: Plugin, places: Places, system: System, venv: Path, pulumi: list[Path]) -> None:
    """Install the plugin unless it is: from Pulumi's host where it answers within seconds, else built.

    Args:
        plugin: which.
        places: the cache, with the Pulumi home.
        system: the kind of machine.
        venv: a finished virtual environment, for a Go from the package index.
        pulumi: the folders of the Pulumi CLI.

    Raises:
        StepFailed: it can neither be downloaded nor built, or Pulumi refuses it.
    """
    archive = places.parts / f".{plugin.name}.tar.gz.partial-{os.getpid()}"
    built = golang.folder(plugin.part, places, system)
    try:
        with step(f"Pulumi plugin {plugin.name} {plugin.version}") as running:
            if is_installed(plugin, places, system):
                running.reused()
                return
            if not built.is_dir():
                running.say("asking Pulumi's host")
                name = f"pulumi-resource-{plugin.name}-v{plugin.version}-{system.os}-{system.arch}.tar.gz"
                try:
                    download.fetch(f"{download.host(os.environ)}/releases/plugins/{name}", archive, running)
                except download.NotAvailable as answer:
                    running.outcome(f"Pulumi's host: {answer}; building from Go modules instead")
                else:
                    _install(running, plugin, places, pulumi=pulumi, file=archive, source=_PUBLISHED)
                    return
        if not built.is_dir():
            golang.provide_part(plugin.part, places, system, venv)
        with step(f"Installing plugin {plugin.name} {plugin.version}") as running:
            source = golang.key(plugin.part, system)
            _install(running, plugin, places, pulumi=pulumi, file=built / plugin.part.program, source=source)
    finally:
        archive.unlink(missing_ok=True)


def _install(running: Step, plugin: Plugin, places: Places, *, pulumi: list[Path], file: Path, source: str) -> None:
    """Let Pulumi install it: found on PATH instead, every preview would take 2.4 s longer."""
    environment = {**os.environ, "PULUMI_HOME": str(places.pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    program = next(where / "pulumi" for where in pulumi if (where / "pulumi").exists())
    command = [str(program), "plugin", "install", "resource", plugin.name, f"v{plugin.version}"]
    command += ["--file", str(file), "--reinstall"]
    remedy = f"Remove {places.pulumi_home} and run this again."
    running.say("installing it")
    running.run(command, log=places.logs / f"plugin-{plugin.name}.log", remedy=remedy, env=environment)
    (folder(plugin, places) / _MARKER).write_text(f"{source}\n", encoding="utf-8")
