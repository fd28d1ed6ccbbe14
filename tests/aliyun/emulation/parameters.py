"""The parameters of one call: flat names such as ``SystemDisk.Size`` and ``Tag.1.Key``, all values text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import final

from tests.aliyun.emulation.errors import not_valid


@final
class Parameters(Mapping[str, str]):
    """Reads parameters by their names on the wire. What is empty counts as not given."""

    def __init__(self, values: Mapping[str, str], prefix: str = "") -> None:
        self._values = {name: value for name, value in values.items() if value != ""}
        self._prefix = prefix

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, default)

    def integer(self, name: str, default: int = 0) -> int:
        """Read a whole number; raises ``InvalidParameter``."""
        value = self._values.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as error:
            raise not_valid(self._prefix + name) from error

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._values.get(name)
        return default if value is None else value.lower() == "true"

    def many(self, name: str) -> list[str]:
        """Read ``name.1``, ``name.2`` and so on."""
        return [
            self._values[f"{name}.{number}"] for number in self._numbers(name) if f"{name}.{number}" in self._values
        ]

    def objects(self, name: str) -> list[Parameters]:
        """Read the lists of objects: ``name.1.Key``, ``name.1.Value``, ``name.2.Key`` and so on."""
        return [self.nested(f"{name}.{number}") for number in self._numbers(name)]

    def nested(self, name: str) -> Parameters:
        """Read one object: ``name.Key`` and so on."""
        start = f"{name}."
        values = {key.removeprefix(start): value for key, value in self._values.items() if key.startswith(start)}
        return Parameters(values, self._prefix + start)

    def listed(self, name: str) -> list[str]:
        """Read a list in JSON, such as ``InstanceIds=["i-1"]``; raises ``InvalidParameter``."""
        if name not in self._values:
            return []
        try:
            found = json.loads(self._values[name])
        except ValueError as error:
            raise not_valid(self._prefix + name) from error
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise not_valid(self._prefix + name)
        return found

    def tags(self) -> dict[str, str]:
        return {tag.text("Key"): tag.text("Value") for tag in self.objects("Tag")}

    def _numbers(self, name: str) -> list[int]:
        start = f"{name}."
        heads = {key.removeprefix(start).split(".")[0] for key in self._values if key.startswith(start)}
        return sorted(int(head) for head in heads if head.isdigit())
