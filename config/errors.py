"""How a wrong setting is told to the person who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pulumi

from config.project import PROJECT


@final
@dataclass(frozen=True, kw_only=True)
class Problem:
    """One wrong setting. ``value`` is what was found; for a secret it says so instead of showing it."""

    key: str
    value: str
    expected: str
    remedy: str


def problem(key: str, value: str, expected: str, example: str) -> Problem:
    """Return the problem of a plain key of the config that has an acceptable example."""
    return Problem(
        key=f"{PROJECT}:{key}", value=value, expected=expected, remedy=f"pulumi config set {key} '{example}'"
    )


@final
class LockError(pulumi.RunError, ValueError):
    """The lock with the digests of the images cannot be used. A ``RunError`` as :class:`ConfigError` is."""


@final
class ConfigError(pulumi.RunError, ValueError):
    """All that is wrong with a stack's settings, at once.

    A ``RunError``, because the language host prints only the message of one, without a traceback.
    """

    def __init__(self, stack: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        lines = [f"{count} wrong in Pulumi.{stack}.yaml; nothing was changed."]
        for problem in problems:
            lines += [
                "",
                f"  {problem.key}: {problem.value}",
                f"    expected: {problem.expected}",
                f"    do this:  {problem.remedy}",
            ]
        super().__init__("\n".join(lines))
