"""Keys of cached parts, and folders that are either whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY_LENGTH = 12


def key_of(files: Iterable[tuple[str, Path]], facts: Iterable[str]) -> str:
    """Return the key of something made from files and facts: 12 hexadecimal digits.

    Args:
        files: pairs of a name that is stable across machines and the file; names and contents count.
        facts: everything else that shapes the result, e.g. versions and build flags; their order counts.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files):
        content = path.read_bytes()
        digest.update(f"file {name} {len(content)}\n".encode())
        digest.update(content)
    for fact in facts:
        digest.update(f"fact {len(fact)} {fact}\n".encode())
    return digest.hexdigest()[:_KEY_LENGTH]


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder, with its name relative to the folder's parent."""
    return [(path.relative_to(folder.parent).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give a fresh folder that takes the place of ``target`` when the block succeeds, and vanishes when not.

    An interrupted block (also by ``kill -9``) leaves ``target`` as it was; leftovers of earlier ones are removed.
    """
    for leftover in target.parent.glob(f".{target.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = target.parent / f".{target.name}.partial-{os.getpid()}"
    partial.mkdir(parents=True)
    try:
        yield partial
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a text file so that a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.partial-{os.getpid()}"
    partial.write_text(text, encoding="utf-8")
    partial.chmod(mode)
    partial.replace(path)
