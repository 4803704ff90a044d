"""The figures as a table, for a terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmarks.case import Result

COLUMNS = ("case", "what", "figure", "floor", "× floor", "target", "")
_MET = {True: "met", False: "MISSED", None: ""}
_COLOURS = {True: "green", False: "bold red", None: ""}


def rich_table(results: Iterable[Result]) -> Table:
    """Return a table with one row per figure. Only the first row of a case has its name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        right = column in ("figure", "floor", "× floor", "target")
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    for result, cells in _rows(results):
        if cells[0] and table.row_count:
            table.add_section()
        table.add_row(*map(escape, cells[:-1]), Text(cells[-1], style=_COLOURS[result.met]))
    return table


def markdown_table(results: Iterable[Result]) -> str:
    """Return the same table in Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---:|---:|---:|---:|---|"]
    lines += ["| " + " | ".join(cells) + " |" for _, cells in _rows(results)]
    return "\n".join(lines)


def missed(results: Iterable[Result]) -> list[str]:
    """Return a line for each missed target."""
    return [
        f"{item.case}: {item.what}: {shown(item.value, item.unit)}{_in_floors(item)}, target {_target(item)}"
        for item in results
        if item.met is False
    ]


def shown(value: float, unit: str) -> str:
    """Return the value with three significant digits and its unit."""
    if value >= 100 or value == int(value):
        number = f"{value:,.0f}".replace(",", " ")
    else:
        number = f"{value:.{1 if value >= 10 else 2 if value >= 0.1 else 3}f}"
    return f"{number} {unit}".strip()


def _rows(results: Iterable[Result]) -> Sequence[tuple[Result, tuple[str, ...]]]:
    rows = []
    before = ""
    for item in results:
        rows.append(
            (
                item,
                (
                    "" if item.case == before else item.case,
                    item.what,
                    shown(item.value, item.unit),
                    "" if item.floor is None else shown(item.floor, item.unit),
                    "" if item.ratio is None else f"{item.ratio:.{1 if item.ratio >= 10 else 2}f}",
                    _target(item),
                    _MET[item.met],
                ),
            )
        )
        before = item.case
    return rows


def _in_floors(item: Result) -> str:
    return "" if item.ratio is None else f" ({shown(item.ratio, '×')} {item.floor_is or 'the floor'})"


def _target(item: Result) -> str:
    if item.target is None:
        return ""
    unit = item.unit if item.floor is None else "×"
    return f"{'≥' if item.at_least else '≤'} {shown(item.target, unit)}"
