"""How what belongs to a stack is recognised in an Aliyun account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from config.project import PROJECT


@final
@dataclass(frozen=True, kw_only=True)
class Ownership:
    """Name prefix and tags of everything that a stack has in the cloud.

    Names are always given: Pulumi makes them up for properties called ``name`` only, and those are deprecated on
    nearly all of Aliyun's resources.
    """

    stack: str

    def name(self, what: str) -> str:
        """Return the name of a thing, as people see it in the console."""
        return f"{PROJECT}-{self.stack}-{what}"

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags by which costs are told apart and strays are found."""
        return {"project": PROJECT, "stack": self.stack}
