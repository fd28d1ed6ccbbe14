"""One thing that works or does not, and how a list of them is shown: to people, in colour or plain, and to machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

Kind = Literal["docker", "container", "endpoint", "certificate", "federation", "monitoring", "alert"]
State = Literal["ok", "warn", "fail"]

VERSION: Final = 1
"""Of the JSON. It rises with any change that a reader could trip over; docs/operations.md has the shape."""

_WORDS: Final[dict[State, str]] = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}
_COLOURS: Final[dict[State, str]] = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[1;31m"}
_PLAIN: Final = "\x1b[0m"


@final
@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the status."""

    kind: Kind
    what: str
    works: bool
    seen: str
    remedy: str = ""
    """What to do, with a command to run."""
    matters: bool = True
    """False: nothing is down because of it, or it may be due to this machine; it is a warning."""

    @property
    def state(self) -> State:
        """How bad it is."""
        return "ok" if self.works else "fail" if self.matters else "warn"


def all_works(checks: Sequence[Check]) -> bool:
    """Return whether everything works that matters."""
    return all(check.state != "fail" for check in checks)


def as_text(checks: Sequence[Check], *, colour: bool) -> str:
    """Return a line for each check, and one more for what to do about it."""
    width = max(len(check.what) for check in checks)
    lines = []
    for check in checks:
        word = f"{_WORDS[check.state]:<4}"
        if colour:
            word = f"{_COLOURS[check.state]}{word}{_PLAIN}"
        lines.append(f"{word}  {check.what:<{width}}  {check.seen}")
        if not check.works and check.remedy:
            lines.append(f"{'':<{width + 8}}-> {check.remedy}")
    return "\n".join(lines)


def as_json(stack: str, checks: Sequence[Check]) -> str:
    """Return the same for machines."""
    return json.dumps(
        {
            "version": VERSION,
            "stack": stack,
            "works": all_works(checks),
            "checks": [
                {
                    "kind": check.kind,
                    "what": check.what,
                    "state": check.state,
                    "seen": check.seen,
                    "remedy": "" if check.works else check.remedy,
                }
                for check in checks
            ],
        },
        ensure_ascii=False,
        indent=2,
    )
