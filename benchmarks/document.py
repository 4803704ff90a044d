"""The figures in docs/performance.md, between two markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.case import Result
from benchmarks.table import markdown_table

PATH = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN = "<!-- figures: python -m benchmarks --markdown -->"
END = "<!-- end of figures -->"


def write(report: dict[str, Any], path: Path = PATH) -> None:
    """Replace the table in the document with that of the report. Raises ValueError without the markers."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), report), encoding="utf-8")


def replaced(text: str, report: dict[str, Any]) -> str:
    """Return the document with the report's figures between the markers. Raises ValueError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} ... {END}")
    return before + BEGIN + "\n" + figures(report) + END + after


def figures(report: dict[str, Any]) -> str:
    """Return one line about the machine, and the table."""
    facts = report["machine"]
    machine = (
        f"{facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB, Linux {facts['kernel']}, "
        f"Docker {facts['docker']}, Python {facts['python']}, git {facts['git']}; at commit {facts['commit']}."
    )
    results = [Result.from_json(item) for item in report["results"]]
    return f"\n{machine}\n\n{markdown_table(results)}\n\n"
