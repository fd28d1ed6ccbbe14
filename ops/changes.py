"""What a change of the program or its settings does to the resources of a stack: made, updated, replaced, removed.

Where a stack is deployed, a preview says so. Where nobody can see its state, as in a pull request, two previews
against nothing are compared, and the plugins are asked which of the differences force a replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from ops.plugin import UNKNOWN, Plugin
from ops.scratch import with_credentials

Kind = Literal["create", "update", "replace", "delete"]

_KINDS: Final[Mapping[str, Kind]] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
}
_MASKED: Final = "[secret]"
_KNOWN: Final = "1"
"""Stands for a value of before that is another afterwards; plugins read it as a text and as a number."""


@final
@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one resource."""

    kind: Kind
    type: str
    name: str
    properties: tuple[str, ...] = ()
    """Which of its properties change; ``protect`` stands for the protection from deletion."""
    protected: bool = False
    """Whether Pulumi refuses to replace or delete it."""


ReplacedBy = Callable[[str, Mapping[str, Any], Mapping[str, Any]], Iterable[str]]
"""Says which properties of a resource (a URN) force its replacement, of its inputs before and afterwards."""


def changes_of_preview(steps: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return what the preview of a deployed stack says."""
    found: dict[tuple[str, Kind], Change] = {}
    for step in steps:
        kind = _KINDS.get(step["op"])
        state = step.get("newState") or step.get("oldState") or {}
        if kind and state.get("custom"):
            properties = sorted({*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ())})
            change = _change(kind, step["urn"], step.get("oldState") or state, properties)
            # A replacement has several steps; the one with reasons says most.
            if len(properties) >= len(found.get((step["urn"], kind), change).properties):
                found[step["urn"], kind] = change
    return list(found.values())


def changes_between(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], replaced_by: ReplacedBy
) -> list[Change]:
    """Return what differs between two previews against nothing."""
    old, new = _resources(before), _resources(after)
    changes = []
    replaced: set[str] = set()
    for urn, state in new.items():
        if urn not in old:
            changes.append(_change("create", urn, {}))
            continue
        properties, affected = _changed(old[urn], state, replaced)
        if not properties | affected:
            continue
        forced = set(
            replaced_by(
                urn,
                {key: _known(value) if key in affected else value for key, value in _inputs(old[urn]).items()},
                _inputs(state),
            )
        ) | {*state.get("replaceOnChanges", ())}
        if forced & (properties | affected):
            replaced.add(urn)
            changes.append(_change("replace", urn, old[urn], sorted(properties | affected & forced)))
        elif properties:
            changes.append(_change("update", urn, old[urn], sorted(properties)))
    changes += [_change("delete", urn, state) for urn, state in old.items() if urn not in new]
    return changes


def _change(kind: Kind, urn: str, before: Mapping[str, Any], properties: Iterable[str] = ()) -> Change:
    _, _, types, name = urn.split("::", 3)
    return Change(
        kind=kind,
        type=types.rpartition("$")[2],
        name=name,
        properties=tuple(properties),
        protected=kind in {"replace", "delete"} and bool(before.get("protect")),
    )


def _resources(steps: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {step["urn"]: step["newState"] for step in steps if step["newState"].get("custom")}


def _inputs(state: Mapping[str, Any]) -> dict[str, Any]:
    return dict(state.get("inputs") or {})


def _without(what: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return properties without those of a certain value."""
    if isinstance(value, Mapping):
        return {key: _without(what, each) for key, each in value.items() if each != what}
    if isinstance(value, list):
        return [_without(what, each) for each in value if each != what]
    return value


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], replaced: set[str]) -> tuple[set[str], set[str]]:
    """Return which properties differ, and which will because they come from a resource that is replaced."""
    ignored = {"__defaults", "__internal", "version", *new.get("ignoreChanges", ())}
    before, after = _inputs(old), _inputs(new)
    properties = {key for key in {*before, *after} - ignored if before.get(key) != after.get(key)}
    if bool(old.get("protect")) != bool(new.get("protect")):
        properties.add("protect")
    dependencies = new.get("propertyDependencies") or {}
    affected = {key for key, urns in dependencies.items() if key not in ignored and replaced & {*urns}}
    return properties, {key for key in affected if UNKNOWN in str(after.get(key))}


def _known(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_known(each) for each in value]
    return _KNOWN if value == UNKNOWN else value


@final
class Plugins:
    """The plugins of the resources, started when one is asked and ended with the block."""

    def __init__(self, environment: Mapping[str, str], region: str) -> None:
        self._environment = with_credentials(environment)
        self._configs: Mapping[str, Mapping[str, str]] = {
            "alicloud": {"region": region or "cn-hangzhou", "accountType": "Domestic"},
            "docker": {"host": "unix:///nowhere/docker.sock"},
        }
        self._running: dict[str, Plugin] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Plugins:
        """Start nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started."""
        self._stack.close()

    def __call__(self, urn: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
        """Ask the plugin of a resource which properties force its replacement."""
        package = urn.split("::")[2].rpartition("$")[2].partition(":")[0]
        if package == "pulumi":
            return ()
        plugin = self._plugin(package)
        # The Pulumi CLI has masked secrets: a text where a plugin may expect a list.
        old, new = _without(_MASKED, before), _without(_MASKED, after)
        state = _without(UNKNOWN, plugin.create_preview(urn, old))
        return plugin.diff(urn, _KNOWN, state=state, news=new, old_inputs=old).replaces

    def _plugin(self, name: str) -> Plugin:
        if name not in self._running:
            plugin = self._stack.enter_context(Plugin.start(name, self._environment))
            plugin.configure(self._configs.get(name, {}))
            self._running[name] = plugin
        return self._running[name]
