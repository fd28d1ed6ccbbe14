"""The queries of a stack's dashboards, as Grafana would ask them of its Prometheus."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib import error, parse, request

GRAFANAS_VARIABLES = {"$__rate_interval": "1m", "$__range": "15m"}
"""What Grafana would put in: four scrapes, and the time that is being looked at."""
NAME = re.compile(r"\b(?:synapse|dendrite|redis|node|nginx|matrix|probe)[_:]\w+(?=[{\[ )]|$)")
"""Names of metrics in a query; those of Prometheus' own are not worth it."""


@dataclass(frozen=True)
class Ask:
    """One query of one panel."""

    where: str
    """Dashboard and panel."""
    expression: str


def filled_in(expression: str) -> str:
    """Return a query with Grafana's variables replaced."""
    for variable, value in GRAFANAS_VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, f"a variable that the tests do not know: {expression}"
    return expression


def asked(files: Mapping[str, str]) -> Iterator[Ask]:
    """Return every query of dashboards as Grafana reads them."""
    for text in files.values():
        page = json.loads(text)
        for panel in page["panels"]:
            for target in panel["targets"]:
                yield Ask(f"{page['title']} / {panel['title']}", filled_in(target["expr"]))


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    port: int

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 (JSON)
        """Ask its API.

        Raises:
            ValueError: it refuses the question, such as an expression that cannot be read.

        """
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{parse.urlencode(parameters)}"
        try:
            with request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except error.HTTPError as refused:
            raise ValueError(json.load(refused)["error"]) from refused

    def has_data(self, expression: str) -> bool:
        """Return whether a query gives a number now. NaN is what a quotient or a quantile of nothing gives."""
        found = self.get("query", query=expression)["result"]
        return any(not math.isnan(float(each["value"][1])) for each in found)

    def names(self) -> set[str]:
        """Return the names of all series that it has."""
        return set(self.get("label/__name__/values"))


def empty_panels(
    prometheus: Prometheus, files: Mapping[str, str], traffic: Callable[[], object], seconds: float = 180
) -> list[str]:
    """Let people do something until every panel has data, and return those that never had any, with their query."""
    deadline = time.monotonic() + seconds
    waiting = list(asked(files))
    assert waiting
    while waiting and time.monotonic() < deadline:
        traffic()
        waiting = [each for each in waiting if not prometheus.has_data(each.expression)]
        time.sleep(5)
    return [f"{each.where}: {each.expression}" for each in waiting]


def unknown_names(prometheus: Prometheus, files: Mapping[str, str]) -> list[str]:
    """Return the metrics that are asked for and that nobody tells; a query that cannot be read fails at once."""
    names = prometheus.names()
    unknown = []
    for each in asked(files):
        prometheus.get("query", query=each.expression)
        found = set(NAME.findall(each.expression))
        assert found or "ALERTS" in each.expression, f"no name of a metric was found in {each.expression}"
        unknown += [f"{each.where}: {name}" for name in sorted(found - names)]
    return unknown
