"""The project's name, as Pulumi.yaml has it."""

from __future__ import annotations

from typing import Final

PROJECT: Final = "matrix"
