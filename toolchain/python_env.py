"""The virtual environment with locked dependencies."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import distribution
from toolchain.cache import key_of
from toolchain.places import only_one
from toolchain.steps import step

if TYPE_CHECKING:
    from toolchain.places import Places
    from toolchain.steps import Step

_COMPLETE = ".complete"
_REMEDY = (
    "If the package index is out of reach, point pip to one that this machine reaches:\n"
    "PIP_INDEX_URL in the environment, or `index-url` in pip's own configuration file; then run this again."
)
# These would send packages elsewhere than into the virtual environment, or mix the user's own in.
_MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def pip_environment() -> dict[str, str]:
    """Return the environment for pip: the user's own, so that an index or proxy set there counts, less traps."""
    return {name: value for name, value in os.environ.items() if name not in _MISLEADING}


def venv_for(places: Places, lock: Path, python: str = sys.executable) -> Path:
    """Return where the virtual environment of a lock file belongs (it need not exist yet)."""
    version = ".".join(map(str, sys.version_info[:3]))
    key = key_of([(lock.name, lock)], [version, os.path.realpath(python)])
    return places.venvs / f"{lock.stem}-{key}"


def is_complete(venv: Path) -> bool:
    """Say whether a virtual environment was finished and its Python is still there."""
    return (venv / _COMPLETE).is_file() and (venv / "bin" / "python").exists()


def provide_venv(places: Places, lock: Path) -> Path:
    """Return a virtual environment with exactly what ``lock`` names, made if it is not there.

    It is built in its final place, since scripts in it hold its path; only a finished one has a marker, and one
    without marker is removed before the next try. A pip whose `make` was killed goes on writing there: it holds the
    lock, so that the next try waits for its end.

    Raises:
        StepFailed: this Python cannot make one, or a package cannot be had.
    """
    venv = venv_for(places, lock)
    if not is_complete(venv) and importlib.util.find_spec("ensurepip") is None:
        why = "this Python cannot make virtual environments without it"
        distribution.install(["python3-venv"], why, places)
    with (
        only_one(venv.with_name(f"{venv.name}.lock"), "installing Python packages") as held,
        step(f"Virtual environment from {lock.name}") as running,
    ):
        if is_complete(venv):
            running.reused()
            return venv
        if venv.exists():
            shutil.rmtree(venv)
        _build(running, places, lock, venv, held)
    return venv


def _build(running: Step, places: Places, lock: Path, venv: Path, held: int) -> None:
    environment = pip_environment()
    running.say("making it")
    make = [sys.executable, "-m", "venv", str(venv)]
    remedy = "On Debian and Ubuntu the package python3-venv must be installed: run `apt-get install python3-venv`."
    running.run(make, log=places.logs / f"venv-{lock.stem}.log", remedy=remedy, env=environment, holds=held)

    total = len(re.findall(r"^[A-Za-z0-9][^=\s]*==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    collected = 0

    def count(line: str) -> None:
        nonlocal collected
        if line.startswith("Collecting "):
            collected += 1
            running.progress(collected, total)
        elif line.startswith("Installing collected packages"):
            running.say(f"unpacking {total} packages")

    running.say("fetching packages")
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-input"]
    # Modules are compiled when first imported: the SDKs of Alibaba Cloud have thousands that nothing imports.
    install += ["--disable-pip-version-check", "--progress-bar", "off", "--no-compile", "--requirement", str(lock)]
    log = places.logs / f"pip-{lock.stem}.log"
    running.run(install, log=log, remedy=_REMEDY, env=environment, on_line=count, holds=held)
    (venv / _COMPLETE).touch()
