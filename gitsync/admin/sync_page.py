"""The page of one sync: its current state and details."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from gitsync.admin import git_links, progress, states, step_bars, sync_changes, sync_status
from gitsync.models import SyncRun, SyncState
from gitsync.repositories import links
from kiok.metadata.admin import display

GONE = "The process that ran this sync is gone, or another process replaced it. This sync does not continue."


def of_sync(run: Any, user: Any) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {name: html}}` for a sync with its repository and its `counted_syncs` counts.

    Takes at most five more queries.
    """
    links.load_senders([run.repository])
    is_running = run.state == SyncState.RUNNING
    return {
        "settled": not is_running,
        "parts": {
            "line": _line(run),
            "progress": progress.bar(run, run.repository.name) if is_running else "",
            "facts": render_to_string("gitsync/facts.html", {"facts": _facts(run, user)}),
            "changes": sync_changes.of_sync(run, user),
            "steps": step_bars.of_sync(run),
            "log": escape(run.log or _no_log(run)),
        },
    }


def _line(run: Any) -> SafeString:
    """Return state and result in one line. It omits the file count, since screen readers announce every change."""
    text = run.message
    if run.state == SyncState.RUNNING:
        claimed = states.is_claimed(run.repository) and run.lease_number == run.repository.lease_number
        text = f"Step {run.step}." if run.step else "Starting."
        text = text if claimed else GONE
    elif run.state == SyncState.SUCCEEDED:
        text = sync_status.counts(run)
    elif run.state == SyncState.PARTIAL:
        text = f"{sync_status.counts(run)}. {run.message}"
    return format_html("{} {}", states.sync_state(run), text)


def _facts(run: Any, user: Any) -> list[tuple[str, Any]]:
    repository = run.repository
    name = repository.name
    if user.has_perm("gitsync.view_repository"):
        name = display.link(display.page_of("gitsync_repository", repository.pk), name)
    asked = run.get_trigger_display()
    compared = links.compare_url(repository, run.from_commit, run.to_commit)
    return [
        ("Repository", name),
        ("Requested by", f"{run.requested_by} ({asked})" if run.requested_by else asked),
        ("Correlation id", run.correlation_id or display.NOTHING),
        ("Full", "yes: unchanged files were compiled too" if run.full else "no"),
        ("From commit", git_links.whole_commit(repository, run.from_commit)),
        ("To commit", git_links.whole_commit(repository, run.to_commit)),
        *([("Between them", display.link(compared, "what changed"))] if compared else []),
        ("Reason", run.reason or display.NOTHING),
        ("Files", _files(run)),
        ("Started", display.age(run.started_at)),
        ("Finished", display.age(run.finished_at)),
        ("Duration", display.duration(run.started_at, run.finished_at)),
        *([("Same failure again", f"{run.repeats} times")] if run.repeats else []),
    ]


def _no_log(run: SyncRun) -> str:
    return "No log yet." if run.state == SyncState.RUNNING else "The log of this sync is no longer kept."


def _files(run: SyncRun) -> str:
    if run.compiled or run.reused:
        return f"{run.compiled} compiled, {run.reused} reused"
    return f"{run.files_done} of {run.files_total} compiled" if run.files_total else display.NOTHING
