"""Actions on the selected DAGs of the list: sync their repositories, each of them once."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gitsync.access import may_sync
from gitsync.admin.sync_actions import SHOWN_NAMES, ask
from gitsync.models import Repository
from kiok.metadata.admin import display
from kiok.metadata.admin.dag_actions import DagAction, offer
from kiok.metadata.models import Dag, Origin


def register() -> None:
    """Add the actions to the list of DAGs."""
    label = "Sync the repositories of the selected DAGs"
    offer(
        DagAction("sync_repositories", label, may_sync, partial(_sync_repositories, full=False)),
        DagAction(
            "sync_repositories_full", f"{label} (full)", may_sync, partial(_sync_repositories, full=True)
        ),
    )


def _sync_repositories(request: HttpRequest, dags: QuerySet[Dag], *, full: bool) -> HttpResponse | None:
    """Request a sync of the repositories of these DAGs that the user may see, and show their progress."""
    dags = dags.order_by()
    from_git = dags.filter(origin=Origin.GIT).values("repository")
    repositories = list(
        Repository.objects.visible_to(request.user).filter(name__in=from_git).order_by("name")
    )
    names = [repository.name for repository in repositories]
    _report_others(request, dags.exclude(origin=Origin.GIT, repository__in=names))
    requested = ask(request, repositories, full=full)
    if not requested:
        return None
    sync = "full sync" if full else "sync"
    number = f"{len(requested)} repositories" if len(requested) > 1 else "1 repository"
    shown = display.listed([repository.name for repository in requested[:SHOWN_NAMES]], len(requested))
    messages.success(request, f"Queued a {sync} of {number}: {shown}.")
    if not request.user.has_perm("gitsync.view_repository"):
        return None
    return HttpResponseRedirect(reverse("admin:gitsync_repository_asked"))


def _report_others(request: HttpRequest, dags: QuerySet[Dag]) -> None:
    """Add a message that names the DAGs without a repository to sync."""
    number = dags.count()
    if number:
        uids = list(dags.order_by("uid").values_list("uid", flat=True)[:SHOWN_NAMES])
        those = f"{number} DAGs, which do" if number > 1 else "1 DAG, which does"
        shown = display.listed(uids, number)
        messages.warning(request, f"No sync for {those} not come from a git repository: {shown}.")
