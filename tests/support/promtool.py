"""Prometheus' own programs, and what its expressions name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OPS = Path(__file__).resolve().parents[2] / "ops"
RULES = OPS / "prometheus" / "alerts.yml"
RULES_TEST = OPS / "prometheus" / "alerts_test.yml"
SCRAPE = OPS / "prometheus" / "prometheus.yml"
DASHBOARD = OPS / "grafana" / "kiok-git-sync.json"

# Labels that Prometheus itself puts on what it scrapes.
BY_THE_SCRAPE = {"job", "instance"}

_SELECTOR = re.compile(r"\b(kiok_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def program(name: str) -> str:
    """The path of one of Debian's package `prometheus`."""
    found = shutil.which(name)
    assert found, f"{name} is missing; `scripts/system.sh tests` installs it"
    return found


def promtool(*arguments: str | Path, sent: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program("promtool"), *arguments], input=sent, capture_output=True, timeout=600)


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules of the file."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Every panel but the headings of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Every expression of the dashboard, with values for its variables."""
    targets = [target["expr"] for panel in panels() for target in panel["targets"]]
    queries = [
        variable["query"]["query"]
        for variable in dashboard()["templating"]["list"]
        if variable["type"] == "query"
    ]
    inner = [query.removeprefix("label_values(").rpartition(",")[0] for query in queries]
    return [expr.replace("$job", "kiok").replace("$repository", "team|other") for expr in targets + inner]


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each metric of an expression, with its matchers: label, operator, value."""
    for name, matchers in _SELECTOR.findall(expression):
        yield name, _MATCHER.findall(matchers)


def grouping_labels(expression: str) -> set[str]:
    """The labels that an expression groups or joins by."""
    return {
        label.strip()
        for labels in _GROUPING.findall(expression)
        for label in labels.split(",")
        if label.strip()
    }
