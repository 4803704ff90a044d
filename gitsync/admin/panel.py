"""The status panel of a repository's page: everything it shows except the configuration form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from gitsync.admin import errors, git_links, problems, states, sync_status
from gitsync.admin.delivery import last_deliveries
from gitsync.admin.sync_status import SyncStatus
from gitsync.models import FileState, Repository, SourceFile, SyncRun, SyncState
from gitsync.remedies import remedy
from gitsync.repositories import links
from gitsync.repositories.operation import Operation, worker_hint
from gitsync.repositories.queries import counted_syncs, located_files
from gitsync.repositories.states import shown_label
from gitsync.sync.empty_hold import every_dag, hold_of
from kiok.cluster.conf import properties
from kiok.metadata.admin import display
from kiok.metadata.models import Dag, Origin

SHOWN_SYNCS = 10
SHOWN_ROWS = 20
SHOWN_DELIVERIES = 5
MAY_VIEW_SYNCS = "gitsync.view_syncrun"
OTHER_WEBHOOK_STEPS = (
    "At the git service: add a webhook for push events, with the content type application/json."
)
MAY_ACCEPT = "gitsync.change_repository"  # as for a sync, for declared repositories too


def of_repository(
    request: HttpRequest, repository: Repository, requested: Operation | None
) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"line": html, "body": html}}` for a repository, as the user may see it."""
    user = request.user
    links.load_senders([repository])
    status = sync_status.statuses([repository], {repository.pk: requested} if requested else {})[
        repository.pk
    ]
    item = _line(repository, status, named=False, linked=user.has_perm(MAY_VIEW_SYNCS))
    line = render_to_string("gitsync/status_line.html", {"items": [item], "hint": _hint(status.settled)})
    now = {
        **_now(user, repository, status),
        "hook_url": _hook_url(request, repository),
        "hook_steps": links.webhook_steps(repository) or OTHER_WEBHOOK_STEPS,
    }
    body = render_to_string("gitsync/repository_now.html", now)
    return {"settled": status.settled, "parts": {"line": line, "body": body}}


def etag(repository: Repository) -> str:
    """Return an ETag that changes when the panel of an idle repository may change. Takes one query."""
    delivery = repository.deliveries.order_by("-pk").values_list("pk", flat=True).first()
    shown = (
        *(repository.state, repository.reason, repository.message, repository.last_commit),
        *(repository.checked_at, repository.next_due_at, repository.next_due_at <= timezone.now()),
        *(repository.enabled, repository.paused_at, repository.lease_number, repository.lease_holder),
        *(repository.queued_until, repository.webhook_secret_id, repository.empty_hold, delivery),
    )
    return f'"{hashlib.sha256(repr(shown).encode()).hexdigest()[:32]}"'


def of_requests(
    user: Any, repositories: list[Repository], requested: Mapping[int, Operation]
) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"line": html}}` for the page of several requests."""
    found = sync_status.statuses(repositories, requested)
    settled = all(status.settled for status in found.values())
    linked = user.has_perm(MAY_VIEW_SYNCS)
    items = [
        _line(repository, found[repository.pk], named=True, linked=linked) for repository in repositories
    ]
    line = render_to_string("gitsync/status_line.html", {"items": items, "hint": _hint(settled)})
    return {"settled": settled, "parts": {"line": line}}


def _hook_url(request: HttpRequest, repository: Repository) -> str:
    """Return the whole address of the repository's webhook; empty without a webhook secret.

    The host is that of `kiok.web.public.url`, else the one by which the user reached the service.
    """
    if not repository.webhook_secret_id:
        return ""
    path = reverse("webhook", args=[repository.name])
    base = properties().web_public_url
    return f"{base}{path}" if base else request.build_absolute_uri(path)


def _hint(settled: bool) -> str:
    return "" if settled else worker_hint()


def _line(repository: Repository, status: SyncStatus, *, named: bool, linked: bool) -> dict[str, Any]:
    run = status.run if linked else None
    return {
        "name": repository.name if named else "",
        "url": display.page_of("gitsync_repository", repository.pk),
        "badge": display.badge(status.tone, status.word),
        "text": status.text,
        "sync": run.pk if run else None,
        "sync_url": display.page_of("gitsync_syncrun", run.pk) if run else "",
    }


def _now(user: Any, repository: Repository, status: SyncStatus) -> dict[str, Any]:
    """Return the variables of repository_now.html. Tables that the user may not view give numbers at most."""
    dags = Dag.objects.filter(origin=Origin.GIT, repository=repository.name)
    stale = dags.filter(stale_since__isnull=False)
    failed = SourceFile.objects.filter(repository=repository, state=FileState.FAILED)
    n_dags, n_stale, n_failed = dags.count(), stale.count(), failed.count()
    shown: dict[str, Any] = {
        "facts": _facts(repository, n_dags, n_failed, n_stale, status),
        "n_failed": n_failed,
        "n_stale": n_stale,
        "held": _held(user, repository),
    }
    if user.has_perm(errors.MAY_VIEW):
        shown |= _files(repository, failed)
    if user.has_perm("metadata.view_dag"):
        shown |= _stale_dags(repository, stale)
    if user.has_perm(MAY_VIEW_SYNCS):
        syncs = counted_syncs(SyncRun.objects.filter(repository=repository).order_by("-id"))[:SHOWN_SYNCS]
        shown |= {
            "may_view_syncs": True,
            "syncs": [_sync(repository, run) for run in syncs],
            "syncs_url": _list_of("gitsync_syncrun", repository__id__exact=repository.pk),
        }
    if user.has_perm("gitsync.view_delivery"):
        shown |= {
            "may_view_deliveries": True,
            "deliveries": last_deliveries(repository, SHOWN_DELIVERIES),
            "deliveries_url": _list_of("gitsync_delivery", repository__id__exact=repository.pk),
        }
    return shown


def _held(user: Any, repository: Repository) -> dict[str, Any] | None:
    """Return the variables of held.html for the held commit (`gitsync.sync.empty_hold`); None if there is none."""
    hold = hold_of(repository)
    if hold is None:
        return None
    return {
        "id": hold.commit,
        "commit": git_links.whole_commit(repository, hold.commit),
        "dags": every_dag(hold.dags),
        "accepted_by": hold.accepted_by,
        "may_accept": user.has_perm(MAY_ACCEPT),
    }


def _files(repository: Repository, failed: QuerySet[SourceFile]) -> dict[str, Any]:
    of_it = {"repository__id__exact": repository.pk}
    return {
        "may_view_files": True,
        "failed": [
            {
                "url": display.page_of("gitsync_sourcefile", file.pk),
                "problem": problems.first_problem(file),
                "source": links.file_url(repository, file.commit_sha, file.path, _number(file.problem_line)),
            }
            for file in located_files(failed)[:SHOWN_ROWS]
        ],
        "failed_url": _list_of("gitsync_sourcefile", **of_it, state__exact=str(FileState.FAILED)),
        "errors_url": errors.page_of_errors(repository.name),
        "files_url": _list_of("gitsync_sourcefile", **of_it),
        "files": _by_state(repository),
    }


def _by_state(repository: Repository) -> list[tuple[str, int]]:
    """Return the number of files in each state as (badge, number)."""
    counted = dict(
        SourceFile.objects.filter(repository=repository)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
    )
    return [(states.file_state(state), counted[state]) for state in FileState.values if state in counted]


def _stale_dags(repository: Repository, stale: QuerySet[Dag]) -> dict[str, Any]:
    return {
        "stale": [
            {
                "uid": dag.uid,
                "url": display.page_of("metadata_dag", dag.uid),
                "since": display.age(dag.stale_since),
                "reason": display.shortened(dag.stale_reason, 300),
            }
            for dag in stale.defer("spec", "source")[:SHOWN_ROWS]
        ],
        "stale_url": _list_of("metadata_dag", repository=repository.name, stale="yes"),
    }


def _list_of(model: str, **query: Any) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(query)}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None


def _facts(
    repository: Repository, dags: int, failed: int, stale: int, status: SyncStatus
) -> list[tuple[str, Any]]:
    """Return (label, value) of the observed fields that have something to say beyond the line of `status`."""
    last = status.run
    good, attempted = repository.last_good_commit, repository.last_commit
    facts = [
        ("State", "" if status.word == shown_label(repository) else states.repository_state(repository)),
        ("URL", display.copyable(repository.shown_url)),
        ("Reason", repository.reason),
        ("Message", "" if repository.message in status.text else repository.message),
        ("What to do", remedy(repository.reason)),
        ("DAGs", f"{dags}, {stale} of them stale" if stale else dags),
        ("Failed files", failed),
        ("Last good commit", git_links.whole_commit(repository, good)),
        ("Last good sync", display.age(repository.last_good_at)),
        ("Last attempted commit", git_links.whole_commit(repository, attempted) if attempted != good else ""),
        ("Last sync took", display.duration(last.started_at, last.finished_at) if last else display.NOTHING),
        ("Last checked", display.age(repository.checked_at)),
        ("Next check", next_check(repository)),
        ("Consecutive failures", repository.consecutive_failures or ""),
    ]
    return [(label, value) for label, value in facts if value not in ("", None)]


def next_check(repository: Repository, shown: Callable[[datetime], str] = display.age) -> str:
    """Return when the repository is checked next; `shown` renders a time."""
    if not repository.enabled:
        return "never (disabled)"
    return "when it is resumed" if repository.is_paused else shown(repository.next_due_at)


def _sync(repository: Repository, run: Any) -> dict[str, Any]:
    succeeded = run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL)
    return {
        "number": run.pk,
        "url": display.page_of("gitsync_syncrun", run.pk),
        "state": states.sync_state(run),
        "trigger": run.get_trigger_display(),
        "requested_by": run.requested_by,
        "result": sync_status.counts(run) if succeeded else display.shortened(run.message, 160),
        "commit": display.with_commit_facts(
            git_links.commits(repository, run.from_commit, run.to_commit), git_links.about(run)
        ),
        "started": display.age(run.started_at),
        "duration": display.duration(run.started_at, run.finished_at),
    }
