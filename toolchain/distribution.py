"""Packages of the Linux distribution: installed on Debian and Ubuntu as root, else named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.steps import StepFailed, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.places import Places


def is_debian_like(os_release: Path = Path("/etc/os-release")) -> bool:
    """Say whether packages come from apt-get here: Debian, Ubuntu and what calls itself like them."""
    try:
        lines = os_release.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    words = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").split()
    return bool({"debian", "ubuntu"} & set(words)) and shutil.which("apt-get") is not None


def may_install() -> bool:
    """Say whether this run may install packages: a Debian-like machine, and root."""
    return is_debian_like() and os.geteuid() == 0


def command_for(packages: Sequence[str]) -> str:
    """Return the command a person types to install the packages."""
    return f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"


def install(packages: Sequence[str], why: str, places: Places) -> None:
    """Install packages of the distribution, saying so before.

    Args:
        packages: their names in Debian and Ubuntu.
        why: what they are for, as the end of a sentence: ``because ...``.
        places: for the log.

    Raises:
        StepFailed: not root, not Debian-like, or apt-get failed; with the command to run.
    """
    names = " ".join(packages)
    title = f"Packages of the distribution: {names}"
    if not may_install():
        if is_debian_like():
            remedy = f"As root, run: {command_for(packages)}"
        else:
            remedy = f"Install what Debian calls {names} with this machine's package manager, and run this again."
        reason = f"Needed because {why}, and this user cannot install packages here."
        raise StepFailed(title, reason, None, remedy)
    with step(title) as running:
        running.note(f"Installing {names} with apt-get, because {why}.")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        # Another apt-get (unattended upgrades) may hold the lock: wait for it rather than fail.
        apt = ["apt-get", "--yes", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
        remedy = f"Make the distribution's mirror reachable, then as root run: {command_for(packages)}"
        running.say("reading the package lists")
        running.run([*apt, "update"], log=places.logs / "apt-update.log", remedy=remedy, env=environment)
        running.say("installing")
        install_command = [*apt, "install", "--no-install-recommends", *packages]
        running.run(install_command, log=places.logs / "apt-install.log", remedy=remedy, env=environment)
