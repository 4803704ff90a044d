"""The figures of a report, as the section "figures" of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.case import Result
from benchmarks.table import markdown_table

PATH = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
SECTION = "figures"


def figures(report: dict[str, Any]) -> str:
    """Return one line about the machine, and the table."""
    facts = report["machine"]
    machine = (
        f"{facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB, Linux {facts['kernel']}, "
        f"Docker {facts['docker']}, Python {facts['python']}, git {facts['git']}; at commit {facts['commit']}."
    )
    results = [Result.from_json(item) for item in report["results"]]
    return f"{machine}\n\n{markdown_table(results)}"
