"""How a key of a stack's config is described: on which targets it exists, how its text is read, what its default is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal, final, get_args

from config.parsing import Parser

Target = Literal["local", "aliyun"]
TARGETS: Final[tuple[Target, ...]] = get_args(Target)

Derived = Callable[[Mapping[str, str]], str | None]
"""A default that follows from the texts of other keys; None where those do not say."""
Default = str | Derived | None
"""What stands for a key that is not set; None: it has to be set."""

_KEY: Final = "key"


@final
@dataclass(frozen=True, kw_only=True)
class Key:
    """One plain key of the config: how its text becomes a value, and which text stands for an unset one."""

    parse: Parser[object]
    defaults: Mapping[Target, Default]
    """The targets on which the key exists."""


def key(parse: Parser[object], default: Default = None) -> Any:  # noqa: ANN401 (so does dataclasses.field)
    """Return a field that is a key on every target."""
    return _field(parse, {"local": default, "aliyun": default})


def key_by_target(parse: Parser[object], *, local: Default, aliyun: Default) -> Any:  # noqa: ANN401
    """Return a field that is a key on every target, with another default on each."""
    return _field(parse, {"local": local, "aliyun": aliyun})


def local_key(parse: Parser[object], default: str) -> Any:  # noqa: ANN401
    """Return a field that is a key on a local stack only; it is empty on others."""
    return field(default="", metadata={_KEY: Key(parse=parse, defaults={"local": default})})


def cloud_key(parse: Parser[object], default: Default = None) -> Any:  # noqa: ANN401
    """Return a field that is a key on Aliyun only."""
    return _field(parse, {"aliyun": default})


def _field(parse: Parser[object], defaults: Mapping[Target, Default]) -> Any:  # noqa: ANN401
    return field(metadata={_KEY: Key(parse=parse, defaults=defaults)})


def keys_of(settings: type[Any]) -> Mapping[str, Key]:
    """Return the keys that a class of settings is made of, by their name in the config."""
    return MappingProxyType({camel_case(f.name): f.metadata[_KEY] for f in fields(settings) if _KEY in f.metadata})


def field_names(settings: type[Any]) -> Mapping[str, str]:
    """Return the fields of a class of settings, by their name in the config."""
    return MappingProxyType({camel_case(f.name): f.name for f in fields(settings) if _KEY in f.metadata})


def camel_case(name: str) -> str:
    """Return the name in the config of a field."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
