"""Where the toolchain keeps its things, and the file lock that keeps two runs apart."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.steps import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Places:
    """The folders of one user and one work tree.

    Attributes:
        root: the work tree of this project.
        cache: what is shared by all work trees of this user.
    """

    root: Path
    cache: Path

    @classmethod
    def of(cls, environ: Mapping[str, str], root: Path = ROOT) -> Places:
        """Find the folders: ``$XDG_CACHE_HOME/matrix-homeserver``, by default below ``~/.cache``."""
        base = environ.get("XDG_CACHE_HOME", "")
        # The XDG specification: a relative path there is invalid and to be ignored.
        folder = Path(base) if base.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".cache"
        return cls(root=root, cache=folder / "matrix-homeserver")

    @property
    def parts(self) -> Path:
        """Folder of everything built or downloaded, one folder ``<part>-<key>`` each."""
        return self.cache / "toolchain"

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.cache / "log"

    @property
    def venvs(self) -> Path:
        """Folder of the virtual environments."""
        return self.cache / "venv"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own home: plugins live there, apart from those of the user's other projects."""
        return self.cache / "pulumi-home"

    def make(self) -> None:
        """Make the cache folders.

        Raises:
            StepFailed: the cache cannot be written; the remedy names XDG_CACHE_HOME.
        """
        probe = self.cache / f".writable-{os.getpid()}"
        try:
            for folder in (self.parts, self.logs, self.venvs, self.pulumi_home):
                folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            reason = f"The cache folder {self.cache} cannot be written: {error.strerror or error}."
            remedy = "Make it writable for this user, or set XDG_CACHE_HOME to a folder that is."
            raise StepFailed("Cache folder", reason, None, remedy) from error


@dataclass(frozen=True, kw_only=True)
class System:
    """The machine's kind in Go's words: ``linux``/``darwin`` and ``amd64``/``arm64``."""

    os: str
    arch: str

    @classmethod
    def here(cls) -> System:
        """Return the kind of this machine.

        Raises:
            StepFailed: nothing is made for this kind of machine.
        """
        machine = platform.machine().lower()
        arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine)
        if sys.platform not in {"linux", "darwin"} or arch is None:
            reason = f"This project knows Linux and macOS on x86-64 and ARM64; this is {sys.platform} on {machine}."
            raise StepFailed("This machine", reason, None, "Use one of those machines.")
        return cls(os=sys.platform, arch=arch)


@contextlib.contextmanager
def only_one(path: Path, doing: str) -> Iterator[int]:
    """Hold a lock file, and wait as long as another process does; give its file descriptor.

    Args:
        path: the file; it stays, with the number of the process that held it last.
        doing: what a process does that holds it, for whoever has to wait.
    """
    with path.open("a+", encoding="utf-8") as lock:
        said = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    lock.seek(0)
                    holder = lock.read().strip() or "unknown"
                    print(f"Another run (process {holder}) is {doing}; waiting for it.", flush=True)
                    said = True
                time.sleep(0.5)
        with contextlib.suppress(OSError):  # a full disk; it is only for whoever has to wait
            lock.truncate(0)
            os.write(lock.fileno(), str(os.getpid()).encode())
        # The lock ends with the file handle, also when this process is killed: with the last copy of it, where a
        # program that was started has one.
        yield lock.fileno()
