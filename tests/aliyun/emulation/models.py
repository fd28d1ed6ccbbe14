"""Holds a request against Alibaba's own model of it, from its SDK: ``alibabacloud_ecs20140526`` and its sisters.

The SDK's classes are generated from the definition of the API. They say names, types and nesting in code, and whether a
parameter is mandatory in a comment beside it ("This parameter is required."); both are read from their source.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from tests.aliyun.emulation.errors import not_valid, unsupported

COMMON = frozenset({"RegionId"})
"""Any client may send these to any action."""

_REQUIRED = "This parameter is required."
_WIRE_NAME = re.compile(r"result\['([^']+)'\] = (?:self\.(\w+)|\[\]\s+if self\.(\w+) is not None)")
_LIST = re.compile(r"List\[(.+)\]")
_KINDS = ("str", "int", "bool", "float")


@final
@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of an action.

    Attributes:
        kind: ``str``, ``int``, ``bool``, ``float``; ``object`` if it has fields.
        required: whether the API insists on it.
        repeated: whether it is written ``name.1``, ``name.2``.
        fields: the fields of an object.
    """

    kind: str
    required: bool
    repeated: bool
    fields: Mapping[str, Parameter]


@functools.cache
def parameters(package: str, action: str) -> Mapping[str, Parameter] | None:
    """Return the parameters of an action; ``None`` if the API has no such action.

    Args:
        package: Alibaba's package, such as ``alibabacloud_ecs20140526``.
        action: such as ``RunInstances``.
    """
    models = importlib.import_module(f"{package}.models")
    # A "shrink" model is the form in which a request with maps goes over the wire: as JSON text.
    model = getattr(models, f"{action}ShrinkRequest", None) or getattr(models, f"{action}Request", None)
    return None if model is None else _fields(models, model)


def check(known: Mapping[str, Parameter], given: Mapping[str, str]) -> list[str]:
    """Raise :class:`ApiError` for an unknown parameter or one of the wrong type; return what is mandatory and lacks."""
    for name, value in given.items():
        if name not in COMMON:
            _check_type(name, value, _find(name, known))
    return _lacking(known, given, "")


def _find(name: str, known: Mapping[str, Parameter]) -> Parameter:
    """Follow a flat name such as ``SystemDisk.Size`` or ``Tag.1.Key`` into the model."""
    steps = name.split(".")
    fields = known
    parameter: Parameter | None = None
    while steps:
        parameter = fields.get(steps.pop(0))
        if parameter is None:
            raise unsupported(name)
        if parameter.repeated and not (steps and steps.pop(0).isdigit()):
            raise unsupported(name)
        fields = parameter.fields
    if parameter is None or parameter.fields:
        raise unsupported(name)
    return parameter


def _check_type(name: str, value: str, parameter: Parameter) -> None:
    if value == "":
        return
    try:
        if parameter.kind == "int":
            int(value)
        elif parameter.kind == "float":
            float(value)
    except ValueError as error:
        raise not_valid(name) from error
    if parameter.kind == "bool" and value.lower() not in {"true", "false"}:
        raise not_valid(name)


def _lacking(known: Mapping[str, Parameter], given: Mapping[str, str], prefix: str) -> list[str]:
    lacking = []
    for name, parameter in known.items():
        full = prefix + name
        # Within a list an empty value is a value: that of a tag may be.
        present = {
            key for key, value in given.items() if (value or prefix) and (key == full or key.startswith(f"{full}."))
        }
        if not present:
            if parameter.required:
                lacking.append(full)
        elif parameter.fields:
            for start in _starts(full, present) if parameter.repeated else [f"{full}."]:
                lacking += _lacking(parameter.fields, given, start)
    return lacking


def _starts(full: str, present: set[str]) -> list[str]:
    return sorted({f"{full}.{key.removeprefix(full + '.').split('.')[0]}." for key in present})


def _fields(models: Any, model: Any) -> dict[str, Parameter]:  # noqa: ANN401 - the packages have no types
    annotations = {name: str(found.annotation) for name, found in inspect.signature(model.__init__).parameters.items()}
    comments = _comments(inspect.getsource(model.__init__))
    fields = {}
    for wire, plain, listed in _WIRE_NAME.findall(inspect.getsource(model.to_map)):
        attribute = plain or listed
        annotation = annotations[attribute]
        repeated = _LIST.fullmatch(annotation)
        kind = repeated.group(1) if repeated else annotation
        nested = _fields(models, getattr(models, kind.removeprefix("main_models."))) if "main_models." in kind else {}
        fields[wire] = Parameter(
            kind="object" if nested else kind if kind in _KINDS else "str",
            required=_REQUIRED in comments.get(attribute, ""),
            repeated=bool(repeated),
            fields=nested,
        )
    return fields


def _comments(source: str) -> dict[str, str]:
    """Return the comment above each ``self.name = name``."""
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in map(str.strip, source.splitlines()):
        if line.startswith("#"):
            above.append(line)
        elif line.startswith("self."):
            comments[line.removeprefix("self.").split(" ")[0]] = "\n".join(above)
            above = []
        elif line:
            above = []
    return comments
