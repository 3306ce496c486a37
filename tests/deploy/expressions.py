"""The PromQL of the dashboard and of the alert rules, taken apart by a parser."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "relaymesh.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"

OF_TARGETS = frozenset(("job", "instance", "own_region"))
"""Labels that Prometheus gives each series of a target (docs/operations.md)."""

OF_PROMETHEUS = frozenset(("up",))
"""Series that Prometheus makes itself."""


class Selected(NamedTuple):
    """One selector of an expression: the series' name and the labels that are asked of it."""

    where: str
    name: str
    labels: frozenset[str]


@cache
def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


@cache
def rules() -> list[dict[str, Any]]:
    """Return the alert rules of all groups."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression, with where it stands."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"].replace("$__rate_interval", "5m")
    for variable in dashboard()["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", ""))
        if found:
            yield f"variable {variable['name']}", f"count by ({found[2]}) ({found[1]})"
    for rule in rules():
        yield f"alert {rule['alert']}", rule["expr"]


@cache
def selected(where: str, expression: str) -> list[Selected]:
    """Return what `expression` selects; raises `ValueError` where it is none, and for a label that
    it groups or joins by and no selector in it has asked for by itself."""
    whole = promql_parser.parse(expression)
    found: list[Selected] = []

    def visit(part: Any) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found.append(_selector(where, part))
        for label in _grouped(part):
            found.extend(Selected(where, name, frozenset((label,))) for name in _names(part))

    promql_parser.walk(whole, visit)
    return found


def _selector(where: str, part: Any) -> Selected:
    return Selected(where, part.name, frozenset(each.name for each in part.matchers.matchers))


def _grouped(part: Any) -> list[str]:
    """Return the labels that a part groups by, or joins on."""
    modifier = getattr(part, "modifier", None)
    if isinstance(part, promql_parser.AggregateExpr):
        return list(modifier.labels) if modifier else []
    matching = getattr(modifier, "matching", None)
    return list(matching.labels) if matching else []


def _names(part: Any) -> set[str]:
    names: set[str] = set()

    def visit(inner: Any) -> None:
        if isinstance(inner, promql_parser.VectorSelector):
            names.add(inner.name)

    promql_parser.walk(part, visit)
    return names
