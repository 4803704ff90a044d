"""The action "Dry run": request one, and show what a sync would do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from gitsync.actions import ActionRefused, ask_for_dry_run
from gitsync.admin import git_links
from gitsync.admin.session_operations import NO_PANEL, PATIENCE, panel, remembered, start, unfinished
from gitsync.admin.views import Views
from gitsync.errors import SyncReason
from gitsync.models import Repository, RepositoryState
from gitsync.repositories import links
from gitsync.repositories.operation import OperationKind, OperationState
from kiok.cluster.conf import properties
from kiok.metadata.admin import display, side_by_side
from kiok.metadata.admin.display import Tone

SHOWN_UIDS = 200
SHOWN_FAILURES = 50
SHOWN_REASONS = 50  # files without a DAG, and ignored entries
DIFF_SECONDS = 1.0  # for all spec diffs on the page together: specs are untrusted, and a diff may take long
LABELS = ("Now", "After the sync")
# The lists of a report, and what would happen to their DAGs. A summary shows the text before the colon only.
CHANGE_KINDS = (
    ("created", "created"),
    ("updated", "updated"),
    ("pruned", "pruned"),
    ("stale", "kept as last compiled and marked stale: the file fails"),
)


def dry_run_panel(request: HttpRequest, repository: Repository) -> dict[str, Any] | None:
    """Return `{"settled": bool, "parts": {"line": html, "body": html}}`; None without a dry run, or if it is outdated."""
    operation = remembered(request, OperationKind.DRY_RUN).get(repository.pk)
    if operation is None:
        return None
    # A dry run may wait for a worker, and then take as long as a sync.
    state, found = operation.poll(PATIENCE + timedelta(milliseconds=properties().gitsync_sync_timeout_ms))
    if state is not OperationState.DONE:
        text = "A worker determines what a sync would do. Nothing is written."
        return unfinished(state, "Dry run", text, "No worker did the dry run. Start it again.")
    if not found or found["config"] != repository.config_hash:
        return None
    report = found["report"]
    if report["reason"] == SyncReason.WOULD_EMPTY:
        text = (
            f"{in_words(found['counts'], report['unchanged'])} The {report['message']}. Nothing was written."
        )
        return panel(Tone.BAD, "Would be held", text, body=_body(request, repository, found))
    if report["state"] == RepositoryState.FAILING:
        text = f"A sync would fail ({report['reason']}): {report['message']} Nothing was written."
        return panel(Tone.BAD, "Would fail", text)
    tone = Tone.WARN if found["counts"]["failed"] else Tone.GOOD
    text = f"{in_words(found['counts'], report['unchanged'])} Nothing was written."
    return panel(tone, "Dry run", text, body=_body(request, repository, found))


def in_words(counts: Mapping[str, int], unchanged: int) -> str:
    """Return `2 DAGs would be created, 1 DAG would be pruned; 5 are unchanged. 1 file fails.`."""
    changes = [
        f"{_number(counts[name], 'DAG')} would be {done.partition(':')[0]}"
        for name, done in CHANGE_KINDS
        if counts[name]
    ]
    same = f"{unchanged} {'is' if unchanged == 1 else 'are'} unchanged" if unchanged else ""
    text = "; ".join(part for part in (", ".join(changes) or "No DAG would change", same) if part)
    failed = counts["failed_files"]
    return (
        f"{text}. {_number(failed, 'file')} {'fails' if failed == 1 else 'fail'}." if failed else f"{text}."
    )


def _body(request: HttpRequest, repository: Repository, found: Mapping[str, Any]) -> str:
    report, counts = found["report"], found["counts"]
    links.load_senders([repository])
    may_view_dags = request.user.has_perm("metadata.view_dag")
    diffs = _diffs(found["updated"])
    return render_to_string(
        "gitsync/dry_run.html",
        {
            "changes": [
                {
                    "title": f"{_number(counts[name], 'DAG')} would be {done}",
                    "dags": [
                        _dag(uid, diffs.get(uid, ""), linked=may_view_dags and name != "created")
                        for uid in report[name][:SHOWN_UIDS]
                    ],
                    "left_out": counts[name] - len(report[name][:SHOWN_UIDS]),
                }
                for name, done in CHANGE_KINDS
                if counts[name]
            ],
            "without_diff": counts["updated"] - len(diffs),
            "too_large": found["too_large"],
            "failed": [_failure(repository, report, item) for item in report["failed"][:SHOWN_FAILURES]],
            "n_failed": counts["failed_files"],
            "failed_left_out": max(0, counts["failed"] - SHOWN_FAILURES),
            "without_dag": [
                _without_dag(report, counts, name, state)
                for name, state in (("not_a_dag", "not a DAG"), ("ignored", "ignored"))
                if counts[name]
            ],
            "unchanged": report["unchanged"],
            "compiled": report["compiled"],
            "files": report["compiled"] + report["reused"],
            "commit": git_links.commit(repository, report["to_commit"]),
            "moved_on": report["from_commit"] != repository.last_good_commit,
            "when": display.age(datetime.fromisoformat(found["finished_at"])),
            "seconds": display.seconds(report["seconds"]),
        },
    )


def _dag(uid: str, diff: str, *, linked: bool) -> dict[str, str]:
    return {"uid": uid, "url": display.page_of("metadata_dag", uid) if linked else "", "diff": diff}


def _diffs(updated: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the spec diffs as HTML by uid: the first ones, as many as fit into `DIFF_SECONDS`."""
    diffs: dict[str, str] = {}
    deadline = time.monotonic() + DIFF_SECONDS
    for item in updated[:SHOWN_UIDS]:
        if time.monotonic() > deadline:
            break
        diffs[item["uid"]] = _diff(item)
    return diffs


def _diff(item: Mapping[str, Any]) -> str:
    before, after = (display.spec_text(item[side]) if item[side] else "" for side in ("before", "after"))
    return side_by_side.table(before, after, labels=LABELS)


def _failure(repository: Repository, report: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, str]:
    place = f"{item['path']}:{item['line']}" if item["line"] else item["path"]
    return {
        "place": place,
        "url": links.file_url(repository, report["to_commit"], item["path"], item["line"]),
        "message": item["message"],
    }


def _without_dag(
    report: Mapping[str, Any], counts: Mapping[str, int], name: str, state: str
) -> dict[str, Any]:
    """Return the first files of one of the states that have no DAG, each with its reason."""
    reasons = report.get(f"{name}_reasons", {})  # absent in results stored by older workers
    files = [(path, reasons.get(path, "")) for path in report[name][:SHOWN_REASONS]]
    return {
        "title": f"{_number(counts[name], 'file')} {'is' if counts[name] == 1 else 'are'} {state}",
        "files": files,
        "left_out": counts[name] - len(files),
    }


def _number(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"


class DryRunViews(Views):
    """The pages of dry runs, added to the URLs of the repositories' admin."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("<int:pk>/dry-run/", view(require_POST(self.ask)), name="gitsync_repository_dry_run"),
            path("<int:pk>/dry-run/status/", view(self.status), name="gitsync_repository_dry_run_status"),
        ]

    def ask(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Request a dry run, and redirect to the repository's page, which shows its result."""
        repository = self.syncable(request, pk)
        enqueue = partial(ask_for_dry_run, request.user, repository, full="full" in request.POST)
        try:
            start(request, OperationKind.DRY_RUN, enqueue, pk)
        except ActionRefused as error:
            messages.warning(request, f"No dry run was started. {error}")
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the panel as JSON; see `dry_run_panel`."""
        shown = dry_run_panel(request, self.seen(request, pk=pk))
        return JsonResponse(shown or NO_PANEL)
