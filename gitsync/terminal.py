"""What commands show a person: progress while one runs, then tables and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.timesince import timesince
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gitsync import presence
from gitsync.doctor.finding import Status
from gitsync.models import Repository, RepositoryState
from gitsync.sync.claim import is_held

if TYPE_CHECKING:
    from compilers.sandbox.check import Examination
    from gitsync.doctor.examination import Examined
    from gitsync.sync.report import SyncReport

COLOURS = {
    RepositoryState.IN_SYNC: "green",
    RepositoryState.DEGRADED: "yellow",
    RepositoryState.FAILING: "red",
    RepositoryState.NEVER: "dim",
}
STATUS_COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red"}
WORDS = {
    RepositoryState.IN_SYNC: "in sync",
    RepositoryState.DEGRADED: "degraded",
    RepositoryState.FAILING: "failing",
    RepositoryState.NEVER: "never synced",
}
SIGNS = (
    ("created", "+", "green"),
    ("updated", "~", "cyan"),
    ("pruned", "-", "red"),
    ("stale", "!", "yellow"),
)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], Callable[[str, str], None]]]:
    """A line per repository, with its step, while the block runs. On no terminal, or `quiet`, nothing.

    Gives a function from a repository's name to the function that is told (step, detail).
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(finished_text="·"),
        TextColumn("{task.fields[name]}"),
        TextColumn("{task.description}", style="dim"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as shown:

        def start(name: str) -> Callable[[str, str], None]:
            task = shown.add_task("", total=None, name=escape(name))

            def step(step: str, detail: str) -> None:
                shown.update(task, description=f"{step} {detail}".strip())

            return step

        yield start


def show_reports(reports: Sequence[SyncReport], *, dry_run: bool) -> None:
    """A table of all repositories, then what changed and what failed, one line each."""
    console = Console()
    if not reports:
        console.print(
            "No repository is configured. Add one in the admin, or declare it in kiok.gitsync.repos."
        )
        return
    title = "Dry run: nothing was written" if dry_run else None
    table = _table("repository", "state", "commit", title=title)
    for name in ("new", "upd", "pruned", "stale", "same", "failed", "s"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        state = RepositoryState(report.state)
        files = len({item.path for item in report.failed})
        counts = (report.created, report.updated, report.pruned, report.stale)
        table.add_row(
            escape(report.name),
            f"[{COLOURS[state]}]{WORDS[state]}[/]",
            report.to_commit[:8],
            *(str(len(uids)) if uids else "·" for uids in counts),
            str(report.unchanged) if report.unchanged else "·",
            f"[red]{files}[/]" if files else "·",
            f"{report.seconds:.1f}",
        )
    console.print(table)
    for report in reports:
        _show_details(console, report)


def _show_details(console: Console, report: SyncReport) -> None:
    for name, sign, colour in SIGNS:
        for uid in getattr(report, name):
            console.print(f"[{colour}]{sign} {name:8}[/] {escape(uid)}", highlight=False, soft_wrap=True)
    if report.reused:
        console.print(
            f"[dim]· compiled[/] {report.compiled} of {report.compiled + report.reused} files of "
            f"{escape(report.name)}; the others have not changed",
            highlight=False,
            soft_wrap=True,
        )
    for item in report.failed:
        place = f"{report.name}/{item.path}" + (f":{item.line}" if item.line else "")
        console.print(
            f"[red]✗ {'failed':8}[/] {escape(place)}: {escape(item.message)}", highlight=False, soft_wrap=True
        )
    if report.state == RepositoryState.FAILING:
        console.print(
            f"[red]✗ {escape(report.name)}[/] ({escape(report.reason)}): {escape(report.message)}",
            highlight=False,
            soft_wrap=True,
        )


def show_repositories(repositories: Sequence[Repository]) -> None:
    """How each repository stands."""
    console = Console()
    if not repositories:
        console.print(
            "No repository is configured. Add one in the admin, or declare it in kiok.gitsync.repos."
        )
        return
    table = _table("repository", "state", "reason", "ref", "subpath", "commit", "checked")
    for row in repositories:
        table.add_row(
            escape(row.name),
            _standing(row),
            row.reason,
            escape(row.ref),
            escape(row.subpath),
            row.last_good_commit[:8],
            f"{timesince(row.checked_at, depth=1)} ago" if row.checked_at else "never",
        )
    console.print(table)
    for row in repositories:
        if row.is_paused:
            since = f"{timesince(row.paused_at, depth=1)} ago" if row.paused_at else ""
            line = f"{row.name} was paused {since} by {row.paused_by}: {row.pause_reason}"
            console.print(f"[yellow]![/] {escape(line)}", highlight=False, soft_wrap=True)


def _standing(row: Repository) -> str:
    if not row.enabled:
        return "off"
    if row.is_paused:
        return "[yellow]paused[/]"
    state = RepositoryState(row.state)
    return f"[{COLOURS[state]}]{WORDS[state]}[/]"


def show_examination(examination: Examination) -> None:
    """A table of the sandbox's layers, then facts about the engine and the verdict."""
    console = Console()
    table = _table("layer", "expected", "", "found")
    for column in (table.columns[1], table.columns[3]):
        column.no_wrap = False
        column.overflow = "fold"
    for finding in examination.findings:
        sign = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        found = escape(finding.found)
        table.add_row(
            escape(finding.layer), escape(finding.expected), sign, found if finding.ok else f"[red]{found}[/]"
        )
    console.print(table)
    for name, text in examination.facts:
        console.print(f"[dim]{escape(name)}:[/] {escape(text)}", highlight=False, soft_wrap=True)
    bad = sum(not finding.ok for finding in examination.findings)
    verdict = f"[red]{bad} of them give less than promised[/]" if bad else "[green]all as promised[/]"
    console.print(f"{len(examination.findings)} layers, {verdict}, in {examination.seconds:.1f} s")


def show_examined(examined: Sequence[Examined]) -> None:
    """What each check of the doctor found, a line each, in colour on a terminal."""
    console = Console()
    width = max((len(item.name) for item in examined), default=0)
    for item in examined:
        finding = item.finding
        line = f"[{STATUS_COLOURS[finding.status]}]{finding.status:4}[/]  {item.name:{width}}  {escape(finding.found)}"
        if finding.remedy:
            line += f" [bold]→[/] {escape(finding.remedy)}"
        console.print(line, highlight=False, soft_wrap=True)


def _table(*columns: str, title: str | None = None) -> Table:
    """A table that fits 80 columns: the first column folds, the others keep their width."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column(columns[0], overflow="fold", min_width=12)
    for name in columns[1:]:
        table.add_column(name, no_wrap=True)
    return table


def repository_json(row: Repository) -> dict[str, Any]:
    """One repository for `--list --json`."""
    return {
        "name": row.name,
        "url": row.url,
        "ref": row.ref,
        "subpath": row.subpath,
        "credentialConnectionId": row.credential_id,
        "enabled": row.enabled,
        "paused": {
            "at": row.paused_at.isoformat() if row.paused_at else None,
            "by": row.paused_by,
            "reason": row.pause_reason,
        }
        if row.is_paused
        else None,
        "managed_by": row.managed_by,
        "state": row.state,
        "reason": row.reason,
        "message": row.message,
        "last_commit": row.last_commit,
        "last_good_commit": row.last_good_commit,
        "last_good_at": row.last_good_at.isoformat() if row.last_good_at else None,
        "checked_at": row.checked_at.isoformat() if row.checked_at else None,
        "consecutive_failures": row.consecutive_failures,
        "held_by": presence.in_words(row.lease_holder) if is_held(row) else "",
    }
