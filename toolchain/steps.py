"""The one way to show progress, and the one way to fail.

Standard library only: this runs on the system's python3 before any virtual environment exists.
On a terminal a step is one live line; on a pipe it is a plain line at its start, about every
15 seconds, and at its end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_LIVE_INTERVAL = 0.5  # seconds between redraws on a terminal
_PLAIN_INTERVAL = 15.0  # seconds between lines on a pipe
_TAIL_LINES = 12
_MAKE_ROOM = "Make room on that disk, or make the path usable for this user, and run the command again."
_SETTLED_AFTER = 3.0  # seconds before an estimate of the time left is worth showing


class StepFailed(Exception):  # noqa: N818 - the contract's name: it reads as what happened
    """A step did not succeed. ``str()`` of it is the whole text for people.

    Attributes:
        step: the title of the step ("" until the step that is running fills it in).
        reason: what went wrong, in the reader's words; may have several lines.
        log: the file with the whole output, if there is one.
        remedy: what to do about it.
    """

    def __init__(self, step: str, reason: str, log: Path | None = None, remedy: str = "") -> None:
        """Keep the four parts apart, so that a caller may add what it knows."""
        super().__init__(step, reason, log, remedy)
        self.step = step
        self.reason = reason
        self.log = log
        self.remedy = remedy

    def __str__(self) -> str:
        """Return step, reason, log file and remedy, each on lines of its own."""
        lines = [f"{self.step}: failed" if self.step else "failed"]
        lines += [f"  {line}" for line in self.reason.rstrip().splitlines()]
        if self.log is not None:
            lines.append(f"  Log: {self.log}")
        if self.remedy:
            first, *rest = self.remedy.rstrip().splitlines()
            lines.append(f"  What to do: {first}")
            lines += [f"    {line}" for line in rest]
        return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return a length of time for people: ``0.1 s``, ``12.3 s``, ``1 min 05 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Step:
    """A running step: made by :func:`step`, used inside its ``with`` block."""

    def __init__(self, title: str, out: IO[str]) -> None:
        """Start the clock and show the title."""
        self.title = title
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM", "") != "dumb"
        self._started = time.monotonic()
        self._what = ""
        self._done = 0
        self._total = 0
        self._counting_since = self._started
        self._outcome = ""
        self._silent = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        if not self._live:
            self._write(f"{title} ...\n")
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    def say(self, what: str) -> None:
        """Show what the step is doing now; forget the progress of what it did before."""
        with self._lock:
            self._what = what
            self._done = self._total = 0
            self._counting_since = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` as a percentage with elapsed time and time left."""
        with self._lock:
            self._done, self._total = done, total

    def reused(self) -> None:
        """Note that nothing had to be done: the end of the step says so."""
        self.outcome("reused")

    def outcome(self, what: str) -> None:
        """End the step with other words than "done"."""
        self._outcome = what

    def note(self, text: str) -> None:
        """Print a line that stays, above the live line."""
        with self._lock:
            self._write(f"\r\x1b[K  {text}\n" if self._live else f"  {text}\n")

    def hand_over(self) -> None:
        """Show nothing until the end: another program writes to the terminal now, and shows progress of its own."""
        with self._lock:
            self._silent = True
            if self._live:
                self._write(f"\r\x1b[K{self.title} ...\n")

    def run(
        self,
        command: Sequence[str],
        *,
        log: Path,
        remedy: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        stdin: str | None = None,
        holds: int | None = None,
    ) -> None:
        """Run a command with its output (stdout and stderr) in ``log``.

        Args:
            command: program and arguments. They are written to the log: no secrets in them; use ``stdin``.
            log: file that gets the output; its folder is made; what it held before is replaced.
            remedy: what a person should do when the command fails.
            env: the whole environment of the command; None means this process's own.
            cwd: where to run it.
            on_line: called with each line of output (without its end), e.g. to count progress.
            stdin: text for its standard input; None means an empty one.
            holds: file descriptor of a lock that lasts as long as the command does, should this process be killed.

        Raises:
            StepFailed: it cannot be started or exits non-zero; the reason has the last lines of its output.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with log.open("w", encoding="utf-8", errors="replace") as sink:
            sink.write(f"$ {' '.join(command)}\n")
            sink.flush()
            try:
                process = subprocess.Popen(
                    list(command),
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    # Its own group: Ctrl-C reaches it through us, once, together with its children.
                    start_new_session=True,
                    pass_fds=() if holds is None else (holds,),
                )
            except OSError as error:
                reason = f"{command[0]} cannot be run: {error.strerror or error}"
                raise StepFailed(self.title, reason, log, remedy) from error
            try:
                feeder = _feed(process, stdin)
                assert process.stdout is not None  # noqa: S101 - PIPE above; for the type checker
                for line in process.stdout:
                    sink.write(line)
                    text = line.rstrip()
                    if text:
                        tail.append(text)
                    if on_line is not None:
                        on_line(text)
                code = process.wait()
                if feeder is not None:
                    feeder.join()
            except BaseException:
                _stop(process)
                raise
        if code != 0:
            ending = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
            reason = "\n".join([f"{Path(command[0]).name} {ending}", *(f"| {line}" for line in tail)])
            raise StepFailed(self.title, reason, log, remedy)

    # -- showing -----------------------------------------------------------------------------

    def _status(self) -> str:
        elapsed = time.monotonic() - self._started
        parts = [self._what] if self._what else []
        if self._total > 0:
            parts.append(f"{min(100, 100 * self._done // self._total)} %")
        parts.append(duration(elapsed) if elapsed < 1 else duration(round(elapsed)).replace(".0 s", " s"))
        counting = time.monotonic() - self._counting_since
        if self._total > 0 and 0 < self._done < self._total and counting > _SETTLED_AFTER:
            left = counting * (self._total - self._done) / self._done
            parts.append(f"about {duration(round(left)).replace('.0 s', ' s')} left")
        return ", ".join(parts)

    def _tick(self) -> None:
        interval = _LIVE_INTERVAL if self._live else _PLAIN_INTERVAL
        if self._live:
            self._draw()
        while not self._closed.wait(interval):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            if self._closed.is_set() or self._silent:
                return
            text = f"{self.title} ... {self._status()}"
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                self._write(f"\r\x1b[K{text[:width]}")
            else:
                self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        # A closed pipe (`make up | head`) must not turn progress into a traceback.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._out.write(text)
            self._out.flush()

    def close(self, *, succeeded: bool) -> None:
        """Stop showing progress and, on success, print the step's last line. For :func:`step`."""
        with self._lock:
            self._closed.set()
        self._ticker.join()
        took = duration(time.monotonic() - self._started)
        start = "\r\x1b[K" if self._live and not self._silent else ""
        if succeeded:
            ending = f"{self._outcome} ({took})" if self._outcome else f"done in {took}"
            self._write(f"{start}{self.title} ... {ending}\n")
        elif self._live and not self._silent:
            self._write("\n")


def _feed(process: subprocess.Popen[str], text: str | None) -> threading.Thread | None:
    """Write ``text`` to the process from a thread: it may print more than a pipe holds before it reads."""
    if text is None or process.stdin is None:
        return None
    pipe = process.stdin

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(text)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process and its children: politely first, by force after ten seconds."""
    for how, patience in ((signal.SIGINT, 5), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a step: its title, its progress, and at the end its time.

    Raises:
        StepFailed: as raised inside; a missing step title is filled in. An ``OSError`` becomes one
            (a full disk, a folder that may not be written), since every step touches the disk.
    """
    running = Step(title, sys.stdout)
    try:
        yield running
    except StepFailed as failure:
        running.close(succeeded=False)
        failure.step = failure.step or title
        raise
    except OSError as error:
        running.close(succeeded=False)
        where = f"{error.filename}: " if error.filename else ""
        raise StepFailed(title, f"{where}{error.strerror or error}", None, _MAKE_ROOM) from error
    except BaseException:
        running.close(succeeded=False)
        raise
    running.close(succeeded=True)


def main_guard(main: Callable[[], int]) -> NoReturn:
    """Run ``main`` and exit with what it returns.

    A :class:`StepFailed` is printed to stderr and exits 1, as is a full disk outside any step; Ctrl-C prints one line
    and exits 130. None of them shows a traceback.
    """
    try:
        code = main()
    except StepFailed as failure:
        print(failure, file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; run the command again to go on.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # The reader of our output went away; nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        print(StepFailed("", f"{error.filename or 'disk'}: {error.strerror}", None, _MAKE_ROOM), file=sys.stderr)
        code = 1
    sys.exit(code)
