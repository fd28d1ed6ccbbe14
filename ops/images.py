"""`make images`: prepare the slow inputs of images that are built from packages.

The Docker provider shows no progress while it builds, so what takes long is made here, once for each user, in the
cache; an image's recipe finds it in its ``inputs`` folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from config.catalogue import CATALOGUE, IMAGES_FOLDER, ImageName, inputs_folder, missing_inputs, recipe_hash
from ops import command
from ops.stack import ROOT
from toolchain import distribution, golang
from toolchain.cache import whole
from toolchain.places import Places, System
from toolchain.steps import Step, StepFailed, step

DEBIAN_SUITE: Final = "bookworm"
SYNAPSE_PYTHON: Final = "3.11"
"""Debian 12's; the wheels are for that one, whatever Python this machine has."""

_DENDRITE: Final = "github.com/element-hq/dendrite/cmd"
DENDRITE: Final = golang.Part(
    name="dendrite",
    title="Dendrite from Go modules",
    package=f"{_DENDRITE}/dendrite",
    program="dendrite",
    also=(f"{_DENDRITE}/create-account", f"{_DENDRITE}/generate-keys"),
)
CADVISOR: Final = golang.Part(name="cadvisor", title="cAdvisor from Go modules", package=".", program="cadvisor")

ACME: Final = golang.Part(name="acme", title="ACME client from Go modules", package=".", program="acme")

_MADE_AS: Final = ".made-as"
"""File in an inputs folder that says which recipe's they are; an older recipe's may still lie there."""
_SUITES: Final = frozenset({DEBIAN_SUITE, f"{DEBIAN_SUITE}-updates", f"{DEBIAN_SUITE}-security"})
_WITHOUT_DOCUMENTATION: Final = tuple(
    f"--dpkgopt={option}"
    for option in (
        "path-exclude=/usr/share/doc/*",
        "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/man/*",
        "path-exclude=/usr/share/info/*",
        "path-exclude=/usr/share/locale/*",
    )
)


def prepare(names: Sequence[ImageName], root: Path = ROOT) -> None:
    """Prepare what builds of these images need.

    Raises:
        StepFailed: something could not be made; it says what to do.

    """
    places = Places.of(os.environ)
    places.make()
    for name in names:
        for each in CATALOGUE[name].inputs:
            _prepare(name, each, places, root)


def _prepare(name: ImageName, what: str, places: Places, root: Path) -> None:
    # The recipe of the base does not say for which processor; everything else in the key follows from the recipe.
    cached = places.cache / IMAGES_FOLDER / f"{name}-{recipe_hash(name, root)}-{System.here().arch}"
    inputs = inputs_folder(name, root)
    mark = inputs / _MADE_AS
    with step(_TITLES[name]) as this:
        if not missing_inputs(name, root) and mark.is_file() and mark.read_text() == cached.name:
            this.reused()
            return
        if not (cached / what).exists():
            with whole(cached) as folder:
                _MAKERS[name](this, folder / what, places, root)
        with whole(inputs) as folder:
            this.say("linking it into the image's folder")
            _link(cached / what, folder / what)
            (folder / _MADE_AS).write_text(cached.name)


def _link(source: Path, target: Path) -> None:
    """Link a file or a folder of files; copy where the cache lies on another file system."""
    if source.is_dir():
        target.mkdir()
        for each in source.iterdir():
            _link(each, target / each.name)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)  # with its mode: there are programs among them


def _make_base(this: Step, target: Path, places: Places, _root: Path) -> None:
    """Make the Debian archive from the mirror this machine itself uses."""
    if shutil.which("mmdebstrap") is None:
        distribution.install(["mmdebstrap"], "it makes the Debian base of the images", places)
    this.say("installing Debian into an archive")
    done = 0

    def count(line: str) -> None:
        nonlocal done
        done += line.startswith(("Unpacking ", "Setting up "))
        # A minimal Debian 12 unpacks and sets up about this many packages.
        this.progress(min(done, 219), 220)

    this.run(
        [
            "mmdebstrap",
            "--variant=minbase",
            "--include=ca-certificates",
            "--verbose",
            *_WITHOUT_DOCUMENTATION,
            DEBIAN_SUITE,
            str(target),
            *debian_sources(),
        ],
        log=places.logs / "image-base.log",
        on_line=count,
        remedy="make this machine's Debian mirror reachable (`apt-get update` shows whether it is), and run it again",
        env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
    )


def debian_sources() -> list[str]:
    """Return the Debian 12 sources that this machine's apt uses, as lines of a sources list.

    Empty where it uses none (on Ubuntu, say): mmdebstrap then takes its own default.
    """
    listed = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"),
            *("Created-By: Packages", "Origin: Debian"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    sources: dict[tuple[str, str], set[str]] = {}
    for line in listed.stdout.splitlines():
        address, suite, component = line.split(" ")
        if suite.split("-")[0] == DEBIAN_SUITE and suite in _SUITES and component == "main":
            sources.setdefault((address, suite), set()).add(component)
    if not any(suite == DEBIAN_SUITE for _, suite in sources):
        return []
    return [f"deb {address} {suite} {' '.join(sorted(found))}" for (address, suite), found in sorted(sources.items())]


def _make_synapse(this: Step, target: Path, places: Places, root: Path) -> None:
    """Download Synapse and what it needs as wheels, with the certificates and the index of this machine's pip."""
    requirements = root / IMAGES_FOLDER / "synapse" / "requirements.txt"
    total = requirements.read_text().count("==")
    done = 0

    def count(line: str) -> None:
        nonlocal done
        done += line.startswith("Collecting ")
        this.progress(min(done, total - 1), total)

    machine = {"amd64": "x86_64", "arm64": "aarch64"}[System.here().arch]
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)]
    this.say("downloading wheels")
    this.run(
        [
            *("python3", "-m", "pip", "download", "--require-hashes", "--only-binary=:all:", "--progress-bar=off"),
            *(f"--python-version={SYNAPSE_PYTHON}", "--implementation=cp", *platforms, "--platform=any"),
            *(f"--platform=manylinux2014_{machine}", f"--dest={target}", f"--requirement={requirements}"),
        ],
        log=places.logs / "image-synapse.log",
        on_line=count,
        remedy="make the package index of pip reachable (pip config list shows which one), and run it again",
    )


def _make_programs(part: golang.Part) -> Callable[[Step, Path, Places, Path], None]:
    """Return what builds programs with the module proxy of this machine's Go, and lists their modules."""

    def make(this: Step, target: Path, places: Places, root: Path) -> None:
        go = golang.provide_go(places, Path(sys.prefix))
        target.mkdir()
        golang.build(this, part, places=places, go=go, target=target, modules=root / IMAGES_FOLDER)
        (target / "packages.txt").write_text("".join(f"{each}\n" for each in _modules_in(go, target)))

    return make


def _modules_in(go: Path, folder: Path) -> list[str]:
    """Return the modules that the programs in a folder were built from, as lines of name and version.

    Raises:
        StepFailed: Go names none.

    """
    shown = subprocess.run([go, "version", "-m", folder], capture_output=True, text=True, check=False)
    # "<tab>dep<tab>name<tab>version<tab>hash", for each program; "mod" is the module of the program itself.
    rows = [line.split("\t")[1:] for line in shown.stdout.splitlines()]
    modules = {f"{row[1]}\t{row[2]}" for row in rows if row and row[0] in {"mod", "dep"}}
    if not modules:
        raise StepFailed(
            step="",
            reason=f"`go version -m {folder}` names no modules. {shown.stderr.strip()}",
            remedy="run it again; `go version` says whether that Go works",
        )
    return sorted(modules)


_TITLES: Final[Mapping[ImageName, str]] = MappingProxyType(
    {
        "base": "Debian archive for the images",
        "synapse": "Synapse's Python packages",
        "dendrite": DENDRITE.title,
        "cadvisor": CADVISOR.title,
        "acme": ACME.title,
    }
)
_MAKERS: Final[Mapping[ImageName, Callable[[Step, Path, Places, Path], None]]] = MappingProxyType(
    {
        "base": _make_base,
        "synapse": _make_synapse,
        "dendrite": _make_programs(DENDRITE),
        "cadvisor": _make_programs(CADVISOR),
        "acme": _make_programs(ACME),
    }
)


def main() -> None:
    """Prepare all inputs."""
    prepare([name for name, entry in CATALOGUE.items() if entry.inputs])


if __name__ == "__main__":
    command.run(main)
