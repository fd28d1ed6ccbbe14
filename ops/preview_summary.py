"""The summary of a preview as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.costs import MonthlyCost
from ops.changes import Change, Kind

_TITLES: Final[Sequence[tuple[Kind, str]]] = (
    ("replace", "Replaced"),
    ("delete", "Removed"),
    ("update", "Changed"),
    ("create", "Created"),
)
_MOST_PROPERTIES: Final = 6


def render_summary(
    stack: str, changes: Sequence[Change], *, against: str, before: MonthlyCost | None, after: MonthlyCost
) -> str:
    """Return the summary; what takes something away comes first.

    Args:
        stack: name of the stack.
        changes: what happens.
        against: what it was compared with, as a part of a sentence.
        before: what the stack cost; None where that is not known.
        after: what it will cost.

    """
    counted = {kind: [each for each in changes if each.kind == kind] for kind, _ in _TITLES}
    sums = ", ".join(f"{len(found)} {title.lower()}" for kind, title in _TITLES if (found := counted[kind]))
    lines = [f"### Stack `{stack}`", "", f"Compared with {against}: {sums or 'no resource changes'}.", ""]
    for kind, title in _TITLES:
        if counted[kind]:
            lines += [f"<details{' open' if kind != 'create' else ''}><summary>{title}</summary>", ""]
            lines += [_line(each) for each in counted[kind]]
            lines += ["", "</details>", ""]
    return "\n".join([*lines, *_cost(before, after), ""])


def _line(change: Change) -> str:
    shown = [f"`{name}`" for name in change.properties[:_MOST_PROPERTIES]]
    more = len(change.properties) - len(shown)
    because = f": {', '.join(shown)}{f' and {more} more' if more else ''}" if shown else ""
    refused = " - **protected: Pulumi refuses this**" if change.protected else ""
    return f"- `{change.name}` ({change.type}){because}{refused}"


def _cost(before: MonthlyCost | None, after: MonthlyCost) -> list[str]:
    if not after["items"]:
        return ["Monthly cost: none, on a machine of one's own."]
    now = f"{_range(after)} CNY (prices as of {after['asOf']}; the article says {after['article']:g})"
    lines = [f"Monthly cost: {now}."]
    if before is None:
        lines.append("What it was before is not known.")
    elif (before["low"], before["high"]) == (after["low"], after["high"]):
        lines.append("It does not change.")
    else:
        low, high = after["low"] - before["low"], after["high"] - before["high"]
        lines.append(f"It was {_range(before)} CNY: a change of {low:+.2f} to {high:+.2f}.")
    if after["unknown"]:
        lines.append(f"Without a price, or without one of its bounds: {', '.join(after['unknown'])}.")
    return lines


def _range(cost: MonthlyCost) -> str:
    return f"{cost['low']:.2f} to {cost['high']:.2f}"
