"""Requesting syncs, and showing their progress and outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
)
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from gitsync.actions import ActionRefused, accept_empty, ask_for_sync
from gitsync.admin import panel
from gitsync.admin.session_operations import MAX_REMEMBERED, remember, remembered
from gitsync.admin.sync_status import last_runs
from gitsync.admin.views import Views
from gitsync.models import Repository
from gitsync.repositories.operation import Operation, OperationKind
from kiok.metadata.admin import display

KIND = OperationKind.SYNC
LATEST = "gitsync_latest_syncs"  # session key of the repositories of the last request
SHOWN_NAMES = 5  # in a message


def ask(
    request: HttpRequest,
    repositories: Sequence[Repository],
    *,
    full: bool = False,
    accepted: str | None = None,
) -> list[Repository]:
    """Request a sync of the repositories, and remember the requests in the session. Return the repositories requested.

    `accepted`: the held commit to accept although it prunes every DAG; there is one repository then. Each request is
    recorded in the admin's log. Disabled and paused repositories are left out, with a message.
    """
    before = last_runs(repository.pk for repository in repositories)
    requested = {}
    refused = []
    for repository in repositories:
        try:
            if accepted is None:
                task = ask_for_sync(request.user, repository, full=full)
            else:
                task = accept_empty(request.user, repository, accepted)
        except ActionRefused as error:
            refused.append((repository.name, str(error)))
            continue
        requested[repository.pk] = Operation.of_sync(task, repository, before.get(repository.pk), full=full)
    _report_refused(request, refused)
    if not requested:
        return []
    remember(request, KIND, requested.values())
    request.session[LATEST] = list(requested)[-MAX_REMEMBERED:]
    return [repository for repository in repositories if repository.pk in requested]


def _report_refused(request: HttpRequest, refused: Sequence[tuple[str, str]]) -> None:
    """Add a message for each of the first repositories, given as (name, reason), and one for all others."""
    for name, reason in refused[:SHOWN_NAMES]:
        messages.warning(request, f"No sync of {name} was started. {reason}")
    others = [name for name, _ in refused[SHOWN_NAMES:]]
    if others:
        names = display.listed(others[:SHOWN_NAMES], len(others))
        messages.warning(
            request, f"No sync of {len(others)} other disabled or paused repositories was started: {names}."
        )


def asked_for(request: HttpRequest, repository_id: int) -> Operation | None:
    """Return the last request of this session for a repository; None if there is none."""
    return remembered(request, KIND).get(repository_id)


class SyncViews(Views):
    """The pages of sync requests, added to the URLs of the repositories' admin."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("named/<str:name>/", view(self.named), name="gitsync_repository_named"),
            path("asked/", view(self.asked), name="gitsync_repository_asked"),
            path("asked/status/", view(self.asked_status), name="gitsync_repository_asked_status"),
            path("<int:pk>/sync/", view(require_POST(self.sync)), name="gitsync_repository_sync"),
            path(
                "<int:pk>/accept-empty/",
                view(require_POST(self.accept_empty)),
                name="gitsync_repository_accept_empty",
            ),
            path("<int:pk>/sync/status/", view(self.status), name="gitsync_repository_sync_status"),
        ]

    def named(self, request: HttpRequest, name: str) -> HttpResponse:
        """Redirect to the page of the repository with this name."""
        return HttpResponseRedirect(display.page_of("gitsync_repository", self.seen(request, name=name).pk))

    def sync(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Request a sync, and redirect to the repository's page, which shows its progress."""
        repository = self.syncable(request, pk)
        ask(request, [repository], full="full" in request.POST)
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def accept_empty(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Accept the commit that the page showed, and redirect to the page, which shows its sync."""
        repository = self.changeable(request, pk)
        commit = request.POST.get("commit", "")
        if ask(request, [repository], accepted=commit):
            messages.success(request, f"Accepted commit {commit} of {repository.name}. Its sync is queued.")
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return a repository's panel as JSON; see `panel.of_repository`.

        A settled panel has an ETag, and is not sent again while nothing has changed (304).
        """
        repository = self.seen(request, pk=pk)
        etag = panel.etag(repository)
        if request.headers.get("If-None-Match") == etag:
            return HttpResponseNotModified(headers={"ETag": etag})
        shown = panel.of_repository(request, repository, asked_for(request, pk))
        return JsonResponse(shown, headers={"ETag": etag} if shown["settled"] else None)

    def asked(self, request: HttpRequest) -> HttpResponse:
        """Show the outcome of the session's last request for several repositories."""
        self.require_view(request)
        return self.framed(
            request,
            "admin/gitsync/repository/asked.html",
            "Sync now",
            panel=self._panel(request),
            status_url=reverse("admin:gitsync_repository_asked_status"),
        )

    def asked_status(self, request: HttpRequest) -> HttpResponse:
        """Return that panel as JSON; see `panel.of_requests`."""
        self.require_view(request)
        return JsonResponse(self._panel(request))

    def _panel(self, request: HttpRequest) -> dict[str, Any]:
        latest = request.session.get(LATEST, [])
        if not latest:
            raise Http404("no sync was requested in this session")
        known = remembered(request, KIND)
        repositories = list(Repository.objects.visible_to(request.user).filter(pk__in=latest))
        return panel.of_requests(request.user, repositories, {pk: known[pk] for pk in latest if pk in known})
