"""What a repository's page shows of it besides its configuration, as it stands now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode

from gitsync.admin import problems, states, sync_status
from gitsync.admin.delivery import last_deliveries
from gitsync.admin.records import counted_syncs, located_files
from gitsync.admin.sync_status import Asked, Status
from gitsync.models import FileState, Repository, SourceFile, SyncRun, SyncState
from kiok.metadata.admin import cells
from kiok.metadata.models import Dag, Origin

SHOWN_SYNCS = 10
SHOWN_ROWS = 20
SHOWN_DELIVERIES = 5


def of_repository(repository: Repository, asked: Asked | None) -> dict[str, Any]:
    """`{"settled": bool, "parts": {"line": html, "body": html}}` for one repository's page."""
    status = sync_status.statuses([repository], {repository.pk: asked} if asked else {})[repository.pk]
    line = render_to_string(
        "gitsync/status_line.html",
        {"items": [_line(repository, status, named=False)], "hint": _hint(status.settled)},
    )
    body = render_to_string("gitsync/repository_now.html", _now(repository))
    return {"settled": status.settled, "parts": {"line": line, "body": body}}


def of_requests(repositories: list[Repository], asked: Mapping[int, Asked]) -> dict[str, Any]:
    """`{"settled": bool, "parts": {"line": html}}` for the page of several requests."""
    found = sync_status.statuses(repositories, asked)
    settled = all(status.settled for status in found.values())
    items = [_line(repository, found[repository.pk], named=True) for repository in repositories]
    line = render_to_string("gitsync/status_line.html", {"items": items, "hint": _hint(settled)})
    return {"settled": settled, "parts": {"line": line}}


def _hint(settled: bool) -> str:
    return "" if settled else sync_status.worker_hint()


def _line(repository: Repository, status: Status, *, named: bool) -> dict[str, Any]:
    run = status.run
    return {
        "name": repository.name if named else "",
        "url": cells.page_of("gitsync_repository", repository.pk),
        "badge": cells.badge(status.tone, status.word),
        "text": status.text,
        "sync": run.pk if run else None,
        "sync_url": cells.page_of("gitsync_syncrun", run.pk) if run else "",
    }


def _now(repository: Repository) -> dict[str, Any]:
    dags = Dag.objects.filter(origin=Origin.GIT, repository=repository.name)
    stale = dags.filter(stale_since__isnull=False)
    failed = SourceFile.objects.filter(repository=repository, state=FileState.FAILED)
    files_query = urlencode(
        {"repository__id__exact": str(repository.pk), "state__exact": str(FileState.FAILED)}
    )
    dags_query = urlencode({"repository": repository.name})
    syncs_query = urlencode({"repository__id__exact": repository.pk})
    n_dags, n_stale, n_failed = dags.count(), stale.count(), failed.count()
    return {
        "facts": _facts(repository, n_dags, n_failed, n_stale),
        "failed": [
            {"url": cells.page_of("gitsync_sourcefile", file.pk), "problem": problems.first_problem(file)}
            for file in located_files(failed)[:SHOWN_ROWS]
        ],
        "failed_url": f"{reverse('admin:gitsync_sourcefile_changelist')}?{files_query}",
        "errors_url": f"{reverse('admin:gitsync_errors')}?{dags_query}",
        "n_failed": n_failed,
        "stale": [
            {
                "uid": dag.uid,
                "url": cells.page_of("metadata_dag", dag.uid),
                "since": cells.age(dag.stale_since),
                "reason": cells.shortened(dag.stale_reason, 300),
            }
            for dag in stale.defer("spec", "source")[:SHOWN_ROWS]
        ],
        "stale_url": f"{reverse('admin:metadata_dag_changelist')}?{dags_query}&stale=yes",
        "n_stale": n_stale,
        "dags": [
            {"uid": uid, "url": cells.page_of("metadata_dag", uid), "name": cells.shortened(name, 80)}
            for uid, name in dags.values_list("uid", "name")[:SHOWN_ROWS]
        ],
        "dags_url": f"{reverse('admin:metadata_dag_changelist')}?{dags_query}",
        "n_dags": n_dags,
        "syncs": [_sync(run) for run in counted_syncs(_syncs(repository))[:SHOWN_SYNCS]],
        "syncs_url": f"{reverse('admin:gitsync_syncrun_changelist')}?{syncs_query}",
        "hook_url": reverse("webhook", args=[repository.name]) if repository.webhook_secret_id else "",
        "deliveries": last_deliveries(repository, SHOWN_DELIVERIES),
        "deliveries_url": f"{reverse('admin:gitsync_delivery_changelist')}?{syncs_query}",
    }


def _syncs(repository: Repository) -> Any:
    return SyncRun.objects.filter(repository=repository).order_by("-id")


def _facts(repository: Repository, dags: int, failed: int, stale: int) -> list[tuple[str, Any]]:
    """Observed values by their labels."""
    return [
        ("State", states.repository_state(repository)),
        ("Reason", repository.reason or cells.NOTHING),
        ("Message", repository.message or cells.NOTHING),
        ("DAGs", f"{dags}, {stale} of them stale" if stale else dags),
        ("Failed files", failed),
        ("Last good commit", repository.last_good_commit or cells.NOTHING),
        ("Last good sync", cells.age(repository.last_good_at)),
        ("Last attempted commit", repository.last_commit or cells.NOTHING),
        ("Last checked", cells.age(repository.checked_at)),
        ("Next check", next_check(repository)),
        ("Failures in a row", repository.consecutive_failures),
    ]


def next_check(repository: Repository) -> str:
    """When it is looked at next."""
    if not repository.enabled:
        return "never, it is switched off"
    return "not before it is resumed" if repository.is_paused else cells.age(repository.next_due_at)


def _sync(run: Any) -> dict[str, Any]:
    succeeded = run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL)
    return {
        "number": run.pk,
        "url": cells.page_of("gitsync_syncrun", run.pk),
        "state": states.sync_state(run),
        "trigger": run.get_trigger_display(),
        "requested_by": run.requested_by,
        "result": sync_status.counts(run) if succeeded else cells.shortened(run.message, 160),
        "commit": cells.commit(run.to_commit),
        "started": cells.age(run.started_at),
        "duration": cells.duration(run.started_at, run.finished_at),
    }
