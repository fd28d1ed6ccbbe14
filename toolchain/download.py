"""Downloads from Pulumi's host, given up early where it is out of reach or too slow to be worth it."""

from __future__ import annotations

import gzip
import http.client
import tarfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.steps import Step

HOST_VARIABLE: Final = "MATRIX_PULUMI_HOST"
"""Environment variable that points the downloads to another server with the layout of Pulumi's."""
_DEFAULT_HOST: Final = "https://get.pulumi.com"
_ANSWER_WITHIN = 5.0  # seconds
_JUDGE_AFTER = 15.0  # seconds of downloading before its speed is judged
_WORTH_WAITING = 300.0  # seconds in all; a build from source takes about as long
_CHUNK = 256 * 1024


class NotAvailable(Exception):  # noqa: N818 - it is an answer, not an error: the caller builds instead
    """The file cannot be had from there in reasonable time; ``str()`` says why in a few words."""


def host(environ: Mapping[str, str]) -> str:
    """Return the base URL of Pulumi's downloads, without a slash at its end."""
    return (environ.get(HOST_VARIABLE) or _DEFAULT_HOST).rstrip("/")


def fetch(url: str, target: Path, running: Step) -> None:
    """Download ``url`` to ``target`` with progress.

    Raises:
        NotAvailable: no answer within 5 seconds, not found, broken off, or so slow that building is faster.
    """
    response = _open_soon(url)
    started = time.monotonic()
    total = int(response.headers.get("Content-Length") or 0)
    done = 0
    try:
        with response, target.open("wb") as sink:
            while chunk := response.read(_CHUNK):
                sink.write(chunk)
                done += len(chunk)
                running.progress(done, total)
                elapsed = time.monotonic() - started
                if total and elapsed > _JUDGE_AFTER and elapsed * total / done > _WORTH_WAITING:
                    message = f"too slow: {done / elapsed / 1024:.0f} KiB/s"
                    raise NotAvailable(message)
    except (OSError, http.client.HTTPException) as error:
        message = f"the download broke off: {error}"
        raise NotAvailable(message) from error
    if total and done != total:
        message = f"the download broke off after {done} of {total} bytes"
        raise NotAvailable(message)


def _open_soon(url: str) -> http.client.HTTPResponse:
    """Open the URL within a deadline that holds for name resolution as well, which has no timeout of its own."""
    answers: list[http.client.HTTPResponse] = []
    problems: list[str] = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(url, timeout=_ANSWER_WITHIN))  # noqa: S310 - our own constant
        except urllib.error.HTTPError as error:
            problems.append(f"it answered {error.code}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            problems.append(f"no answer ({getattr(reason, 'strerror', None) or reason})")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_ANSWER_WITHIN + 0.5)
    if answers:
        return answers[0]
    raise NotAvailable(problems[0] if problems else f"no answer within {_ANSWER_WITHIN:.0f} s")


def unpack_programs(archive: Path, folder: Path) -> list[str]:
    """Unpack the regular files of a .tar.gz flat into ``folder``, executable; return their names.

    Names are cut to their last part, so nothing can land elsewhere. (``tarfile``'s own filters are missing in the
    Python 3.11.2 of Debian 12.)

    Raises:
        NotAvailable: it is not such an archive, e.g. the sign-in page of a captive portal.
    """
    names = []
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                name = entry.name.rsplit("/", 1)[-1]
                source = tar.extractfile(entry) if entry.isfile() else None
                if source is None or name in {"", ".", ".."}:
                    continue
                path = folder / name
                with path.open("wb") as sink:
                    while chunk := source.read(_CHUNK):
                        sink.write(chunk)
                path.chmod(0o755)
                names.append(name)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"what came is no archive: {error}"
        raise NotAvailable(message) from error
    return names
