"""Terminal output of the commands: progress while they run, then tables and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.timesince import timesince
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table

from gitsync.models import Repository, RepositoryState
from gitsync.repositories.states import (
    LABELS,
    PAUSED,
    QUEUED,
    SWITCHED_OFF,
    SYNCING,
    shown_label,
    shown_state,
)
from gitsync.sync.empty_hold import hold_of
from gitsync.sync.lease import is_held
from kiok.checks import CheckResult, CheckStatus
from kiok.cluster import heartbeat
from kiok.text import terminal_line, terminal_text

if TYPE_CHECKING:
    from compilers.sandbox.self_check import Examination
    from gitsync.sync.report import SyncReport

COLOURS = {
    RepositoryState.IN_SYNC.value: "green",
    RepositoryState.DEGRADED.value: "yellow",
    RepositoryState.FAILING.value: "red",
    RepositoryState.NEVER.value: "dim",
    SYNCING: "cyan",
    QUEUED: "cyan",
    PAUSED: "yellow",
    SWITCHED_OFF: "dim",
}
STATUS_COLOURS = {
    CheckStatus.OK: "green",
    CheckStatus.WARN: "yellow",
    CheckStatus.FAIL: "red",
    CheckStatus.UNKNOWN: "yellow",
}
LAYER_SIGNS = {
    CheckStatus.OK: ("✓", "green"),
    CheckStatus.WARN: ("!", "yellow"),
    CheckStatus.FAIL: ("✗", "red"),
}
# The order of the list: a running or queued sync counts as the state before it.
TROUBLE = (
    RepositoryState.FAILING.value,
    RepositoryState.DEGRADED.value,
    RepositoryState.NEVER.value,
    PAUSED,
    RepositoryState.IN_SYNC.value,
    SWITCHED_OFF,
)
CONTINUED = "    "  # begins each further line of a message
PIPED_COLUMNS = 1_000_000  # in a file or pipe, no line is wrapped or cut, so that grep finds whole names
SHOWN_REASONS = 20  # files without a DAG, and ignored entries, listed per repository; --json lists all
SIGNS = (
    ("created", "+", "green"),
    ("updated", "~", "cyan"),
    ("pruned", "-", "red"),
    ("stale", "!", "yellow"),
)


class TerminalConsole(Console):
    """A console that prints no control characters of the given text. Lines in a file or pipe may have any length."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False)
        if not self.file.isatty():
            self.width = PIPED_COLUMNS

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            # Rich's own terminal commands, such as cursor movements, are control segments.
            yield (segment if segment.control else Segment(terminal_text(segment.text), segment.style))


def plain(text: object) -> str:
    """Return untrusted text as markup that prints it on one line."""
    return escape(terminal_line(str(text)))


def plain_lines(text: str) -> str:
    """Return untrusted text as markup that prints it; further lines are indented."""
    return escape(terminal_text(text, CONTINUED))


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], Callable[[str, str], None]]]:
    """Show a line per repository with its current step while the block runs; nothing if `quiet` or not on a terminal.

    Yield a function that takes a repository's name and returns the function to report a step with (step, detail).
    """
    console = TerminalConsole(stderr=True)
    columns = (
        SpinnerColumn(finished_text="·"),
        TextColumn("{task.fields[name]}"),
        TextColumn("{task.description}", style="dim"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.file.isatty()) as shown:

        def start(name: str) -> Callable[[str, str], None]:
            task = shown.add_task("", total=None, name=plain(name))

            def step(step: str, detail: str) -> None:
                shown.update(task, description=plain(f"{step} {detail}".strip()))

            return step

        yield start


def show_reports(reports: Sequence[SyncReport], *, dry_run: bool) -> None:
    """Print a table of all repositories, then a line for each change and each failure."""
    console = TerminalConsole()
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
        files = len({item.path for item in report.failed})
        counts = (report.created, report.updated, report.pruned, report.stale)
        table.add_row(
            plain(report.name),
            _coloured(report.state),
            plain(report.to_commit[:8]),
            *(str(len(uids)) if uids else "·" for uids in counts),
            str(report.unchanged) if report.unchanged else "·",
            f"[red]{files}[/]" if files else "·",
            f"{report.seconds:.1f}",
        )
    console.print(table)
    for report in reports:
        _show_details(console, report)


def _show_details(console: TerminalConsole, report: SyncReport) -> None:
    for name, sign, colour in SIGNS:
        for uid in getattr(report, name):
            console.print(f"[{colour}]{sign} {name:8}[/] {plain(uid)}", highlight=False, soft_wrap=True)
    if report.reused:
        console.print(
            f"[dim]· compiled[/] {report.compiled} of {report.compiled + report.reused} files of "
            f"{plain(report.name)}; the others are unchanged",
            highlight=False,
            soft_wrap=True,
        )
    for item in report.failed:
        place = f"{report.name}/{item.path}" + (f":{item.line}" if item.line else "")
        console.print(
            f"[red]✗ {'failed':8}[/] {plain(place)}: {plain_lines(item.message)}",
            highlight=False,
            soft_wrap=True,
        )
    _show_reasons(console, report, "not a DAG", report.not_a_dag_reasons)
    _show_reasons(console, report, "ignored", report.ignored_reasons)
    if report.state == RepositoryState.FAILING:
        console.print(
            f"[red]✗ {plain(report.name)}[/] ({plain(report.reason)}): {plain_lines(report.message)}",
            highlight=False,
            soft_wrap=True,
        )


def _show_reasons(
    console: TerminalConsole, report: SyncReport, what: str, reasons: Mapping[str, str]
) -> None:
    """Print the reasons why files define no DAG: the first ones, one line each."""
    for path, reason in list(reasons.items())[:SHOWN_REASONS]:
        line = plain(f"{report.name}/{path}: {reason}")
        console.print(f"[dim]· {what:9}[/] {line}", highlight=False, soft_wrap=True)
    if len(reasons) > SHOWN_REASONS:
        line = f"{len(reasons) - SHOWN_REASONS} more of {plain(report.name)}; see --json or the file list for all"
        console.print(f"[dim]· {what:9}[/] {line}", highlight=False, soft_wrap=True)


def by_trouble(repositories: Iterable[Repository]) -> list[Repository]:
    """Return the repositories in the order of `TROUBLE`, then by name."""
    places = {state: place for place, state in enumerate(TROUBLE)}

    def place(row: Repository) -> tuple[int, str]:
        state = shown_state(row)
        return places[row.state if state in (SYNCING, QUEUED) else state], row.name

    return sorted(repositories, key=place)


def show_state(row: Repository, state: str) -> None:
    """Print a line with a repository's new state: the commit that is served, or the reason of the failure."""
    detail = f"commit {row.last_good_commit[:8]}" if row.last_good_commit else ""
    if row.reason and state == LABELS[row.state]:
        detail = f"{row.reason}: {row.message}" if row.message else row.reason
    line = f"{row.name}: {state}" + (f" ({detail})" if detail else "")
    console = TerminalConsole()
    console.print(plain(line), highlight=False, soft_wrap=True)
    console.file.flush()  # a script that reads the pipe sees the line immediately


def show_repositories(repositories: Sequence[Repository]) -> None:
    """Print a table of the repositories with their state."""
    console = TerminalConsole()
    if not repositories:
        console.print(
            "No repository is configured. Add one in the admin, or declare it in kiok.gitsync.repos."
        )
        return
    table = _table("repository", "state", "reason", "ref", "subpath", "commit", "checked")
    for row in repositories:
        table.add_row(
            plain(row.name),
            _coloured(shown_state(row)),
            plain(row.reason),
            plain(row.ref),
            plain(row.subpath),
            plain(row.last_good_commit[:8]),
            f"{timesince(row.checked_at, depth=1)} ago" if row.checked_at else "never",
        )
    console.print(table)
    for row in repositories:
        if row.is_paused:
            since = f"{timesince(row.paused_at, depth=1)} ago" if row.paused_at else ""
            line = f"{row.name} was paused {since} by {row.paused_by}: {row.pause_reason}"
            console.print(f"[yellow]![/] {plain(line)}", highlight=False, soft_wrap=True)


def _coloured(state: str) -> str:
    return f"[{COLOURS[state]}]{LABELS[state]}[/]"


def show_examination(examination: Examination) -> None:
    """Print a table of the sandbox's isolation layers, then facts about the engine and a summary."""
    console = TerminalConsole()
    table = _table("layer", "expected", "", "found")
    for column in (table.columns[1], table.columns[3]):
        column.no_wrap = False
        column.overflow = "fold"
    for finding in examination.findings:
        sign, colour = LAYER_SIGNS[finding.status]
        found = plain(finding.detail)
        table.add_row(
            plain(finding.name),
            plain(finding.expected),
            f"[{colour}]{sign}[/]",
            found if colour == "green" else f"[{colour}]{found}[/]",
        )
    console.print(table)
    for name, text in examination.facts:
        console.print(f"[dim]{plain(name)}:[/] {plain(text)}", highlight=False, soft_wrap=True)
    bad, weaker = examination.bad, examination.weaker
    verdict = f"[red]{bad} of them not as expected[/]" if bad else "[green]all as expected[/]"
    if weaker:
        verdict += f", [yellow]{weaker} of them weaker with this engine (!), which is not an error[/]"
    console.print(f"{len(examination.findings)} layers, {verdict}, in {examination.seconds:.1f} s")


def show_results(results: Sequence[CheckResult]) -> None:
    """Print the result of each check of the doctor, one line each, in colour on a terminal."""
    console = TerminalConsole()
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        status = f"[{STATUS_COLOURS[result.status]}]{result.status:4}[/]"
        line = f"{status}  {result.name:{width}}  {plain_lines(result.detail)}"
        if result.remedy:
            line += f" [bold]→[/] {plain_lines(result.remedy)}"
        console.print(line, highlight=False, soft_wrap=True)


def _table(*columns: str, title: str | None = None) -> Table:
    """Return a table that fits a terminal of 80 columns: name and state wrap, the other columns are cut."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column(columns[0], overflow="fold", min_width=12)
    for name in columns[1:]:
        table.add_column(name, no_wrap=name != "state")
    return table


def repository_json(row: Repository) -> dict[str, Any]:
    """Return one repository for `--list --json`."""
    hold = hold_of(row)
    return {
        "name": row.name,
        "url": row.url,
        "ref": row.ref,
        "subpath": row.subpath,
        "credentialConnectionId": row.credential_id,
        "allowEmpty": row.allow_empty,
        "enabled": row.enabled,
        "paused": {
            "at": row.paused_at.isoformat() if row.paused_at else None,
            "by": row.paused_by,
            "reason": row.pause_reason,
        }
        if row.is_paused
        else None,
        "held": {"commit": hold.commit, "dags": hold.dags, "accepted_by": hold.accepted_by} if hold else None,
        "managed_by": row.managed_by,
        "state": row.state,
        "state_label": shown_label(row),
        "reason": row.reason,
        "message": row.message,
        "last_commit": row.last_commit,
        "last_good_commit": row.last_good_commit,
        "last_good_at": row.last_good_at.isoformat() if row.last_good_at else None,
        "checked_at": row.checked_at.isoformat() if row.checked_at else None,
        "consecutive_failures": row.consecutive_failures,
        "held_by": heartbeat.in_words(row.lease_holder) if is_held(row) else "",
    }
