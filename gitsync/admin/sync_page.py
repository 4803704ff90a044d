"""The page of one sync: its current state, its changes, and the time of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from gitsync.admin import git_links, progress, states, sync_status
from gitsync.models import SourceFile, SyncRun, SyncState
from gitsync.repositories import links
from gitsync.repositories.queries import CHANGES
from kiok.metadata.admin import display
from kiok.metadata.models import Dag, DagVersion

GONE = "The process that ran this sync is gone, or another process replaced it. This sync does not continue."
SHOWN_UIDS = 500
SHOWN_PROBLEMS = 200
STEPS = ("fetch", "verify", "discover", "compile", "plan", "apply", "finish")
LEAST_WIDTH = 0.5  # percent, so that a step of almost no time stays visible


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
            "changes": _changes(run, user),
            "steps": _steps(run),
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
    requested = run.get_trigger_display()
    compared = links.compare_url(repository, run.from_commit, run.to_commit)
    about = git_links.about(run)
    commit = display.with_commit_facts(git_links.commit(repository, run.to_commit), about)
    return [
        ("Repository", name),
        ("Requested by", f"{run.requested_by} ({requested})" if run.requested_by else requested),
        ("Correlation id", run.correlation_id or display.NOTHING),
        ("Full", "yes: unchanged files were compiled too" if run.full else "no"),
        *([("Commit", commit)] if about else []),
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


def _changes(run: SyncRun, user: Any) -> SafeString:
    """Return what the sync did to each DAG, and which files failed, as HTML with links to details.

    Takes at most three queries.
    """
    shown = {name: run.changes.get(name, [])[:SHOWN_UIDS] for name in CHANGES}
    uids = {uid for some in shown.values() for uid in some}
    pages, versions = _pages(uids, user), _versions(run, uids, user)
    changes = [
        {
            "name": name,
            "number": len(run.changes[name]),
            "left_out": len(run.changes[name]) - len(some),
            "dags": [
                {"uid": uid, "url": pages.get(uid, ""), "version": versions.get(uid, ("", ""))}
                for uid in some
            ],
            "is_update": name == "updated",
        }
        for name, some in shown.items()
        if some
    ]
    context = {"changes": changes, **_problems(run, user), "unchanged": run.unchanged}
    return render_to_string("gitsync/changes.html", context)


def _pages(uids: set[str], user: Any) -> Mapping[str, str]:
    """Return the page of each uid that the user may view: its DAG if still registered, else its versions."""
    pages = {}
    if user.has_perm("metadata.view_dagversion"):
        versions = reverse("admin:metadata_dagversion_changelist")
        pages = {uid: f"{versions}?{urlencode({'uid__exact': uid})}" for uid in uids}
    if uids and user.has_perm("metadata.view_dag"):
        registered = Dag.objects.filter(uid__in=uids).visible_to(user).values_list("uid", flat=True)
        pages.update({uid: display.page_of("metadata_dag", uid) for uid in registered})
    return pages


def _versions(run: SyncRun, uids: set[str], user: Any) -> Mapping[str, tuple[int, str]]:
    """Return by uid the version that this sync created, and its page, which shows its changes."""
    if not uids or run.finished_at is None or not user.has_perm("metadata.view_dagversion"):
        return {}
    made = DagVersion.objects.filter(
        uid__in=uids, created_at__gte=run.started_at, created_at__lte=run.finished_at
    )
    rows = made.visible_to(user).values_list("uid", "version", "pk")
    return {uid: (version, display.page_of("metadata_dagversion", pk)) for uid, version, pk in rows}


def _problems(run: SyncRun, user: Any) -> dict[str, Any]:
    shown = run.failed_files[:SHOWN_PROBLEMS]
    pages = {}
    if shown and user.has_perm("gitsync.view_sourcefile"):
        paths = {item["path"] for item in shown}
        known = SourceFile.objects.filter(repository=run.repository_id, path__in=paths).visible_to(user)
        pages = {
            path: display.page_of("gitsync_sourcefile", pk) for path, pk in known.values_list("path", "pk")
        }
    return {
        "problems": [
            {
                "place": ":".join(str(part) for part in (item["path"], item["line"]) if part is not None),
                "url": pages.get(item["path"], ""),
                "source": links.file_url(run.repository, run.to_commit, item["path"], item["line"]),
                "message": display.shortened(item["message"], 400),
            }
            for item in shown
        ],
        "problems_left_out": len(run.failed_files) - len(shown),
        "n_problems": len(run.failed_files),
    }


def _steps(run: SyncRun) -> SafeString:
    """Return the time of each step as HTML: a table with a timeline bar in each row."""
    return render_to_string("gitsync/step_bars.html", {"rows": _step_rows(run)})


def _step_rows(run: SyncRun) -> list[dict[str, Any]]:
    """Return the rows in the order of the steps, unknown steps last. Positions are percentages, as SVG reads them."""
    times = {step: max(0.0, float(seconds)) for step, seconds in run.timings.items()}
    whole = sum(times.values()) or 1.0
    rows, begin = [], 0.0
    for step in sorted(times, key=lambda step: STEPS.index(step) if step in STEPS else len(STEPS)):
        share = 100 * times[step] / whole
        width = max(share, LEAST_WIDTH)
        rows.append(
            {
                "step": step,
                "seconds": display.seconds(times[step]),
                "share": f"{share:.0f} %",
                "x": f"{min(begin, 100 - width):.2f}",
                "width": f"{width:.2f}",
                "failed": run.state == SyncState.FAILED and step == run.step,
            }
        )
        begin += share
    return rows
