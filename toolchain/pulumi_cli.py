"""The Pulumi CLI with its Python language host."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import download, golang, versions
from toolchain.cache import key_of, whole
from toolchain.steps import step

if TYPE_CHECKING:
    from toolchain.places import Places, System
    from toolchain.steps import Step

_HOST = "pulumi-language-python"
_PARTS = (golang.PULUMI, golang.LANGUAGE_PYTHON)


def find(path: str, cache: Path) -> list[Path] | None:
    """Return the folders of a Pulumi on ``path`` that is new enough and has its Python language host, else None.

    Folders of our own cache do not count: an activated environment would otherwise keep an outdated build for ever.
    """
    own = str(cache) + os.sep
    outside = os.pathsep.join(entry for entry in path.split(os.pathsep) if entry and not entry.startswith(own))
    program = shutil.which("pulumi", path=outside)
    if program is None:
        return None
    beside = str(Path(program).resolve().parent)
    host = shutil.which(_HOST, path=os.pathsep.join([beside, outside]))
    if host is None or not versions.at_least(version_of(Path(program)), _minimum()):
        return None
    return list(dict.fromkeys([Path(program).parent, Path(host).parent]))


def version_of(program: Path) -> str:
    """Return what ``pulumi version`` prints, "" if it does not run."""
    try:
        answer = subprocess.run(
            [program, "version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _minimum() -> tuple[int, ...]:
    return versions.parse(versions.PULUMI) or ()


def provide_pulumi(places: Places, system: System, venv: Path) -> list[Path]:
    """Return the folders that go on PATH for ``pulumi`` and ``pulumi-language-python``.

    In this order: what is on PATH and new enough; what is in the cache; Pulumi's own download where its host answers
    within seconds; a build from Go modules.

    Raises:
        StepFailed: none of them works; the last one says why.
    """
    keys = [golang.key(part, system) for part in _PARTS]
    built = places.parts / f"pulumi-cli-{key_of([], keys)}"
    downloaded = places.parts / f"pulumi-published-{versions.PULUMI}-{system.os}-{system.arch}"
    with step(f"Pulumi CLI {versions.PULUMI} with its Python language host") as running:
        on_path = find(os.environ.get("PATH", ""), places.cache)
        for folders in (on_path, [downloaded], [built]):
            if folders and all(folder.is_dir() for folder in folders):
                running.reused()
                return folders
        running.say("asking Pulumi's host")
        try:
            _download(running, places, system, downloaded)
        except download.NotAvailable as answer:
            running.outcome(f"Pulumi's host: {answer}; building from Go modules instead")
        else:
            return [downloaded]
    folders = [golang.provide_part(part, places, system, venv) for part in _PARTS]
    with whole(built) as partial:
        for file in [file for folder in folders for file in folder.iterdir()]:
            _link_or_copy(file, partial / file.name)
    return [built]


def _link_or_copy(file: Path, target: Path) -> None:
    """Put a file beside others: with a host that is not in its own folder, Pulumi warns at every command.

    Not a symbolic link: Pulumi looks beside what its own program resolves to.
    """
    try:
        target.hardlink_to(file)
    except OSError:
        shutil.copy2(file, target)


def _download(running: Step, places: Places, system: System, target: Path) -> None:
    arch = {"amd64": "x64"}.get(system.arch, system.arch)
    name = f"pulumi-v{versions.PULUMI}-{system.os}-{arch}.tar.gz"
    archive = places.parts / f".{name}.partial-{os.getpid()}"
    with whole(target) as partial:
        try:
            download.fetch(f"{download.host(os.environ)}/releases/sdk/{name}", archive, running)
            programs = download.unpack_programs(archive, partial)
        finally:
            archive.unlink(missing_ok=True)
        if not {"pulumi", _HOST} <= set(programs):
            message = f"{name} lacks pulumi or {_HOST}"
            raise download.NotAvailable(message)
        version = version_of(partial / "pulumi")
        if not versions.at_least(version, _minimum()):
            message = f"what came says it is {version or 'no pulumi'}"
            raise download.NotAvailable(message)
