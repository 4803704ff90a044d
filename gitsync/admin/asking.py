"""Asking for syncs, and watching what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from gitsync.access import visible_repositories
from gitsync.admin import panel
from gitsync.admin.sync_status import Asked, last_runs, standing
from gitsync.manual import NotPossible, ask_for_sync
from gitsync.models import Repository
from kiok.metadata.admin import cells

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

SESSION_KEY = "gitsync_asked"
MAX_REMEMBERED = 1000
"""Requests whose outcome a session can show: the newest ones."""


def ask(request: HttpRequest, repositories: Sequence[Repository], *, full: bool) -> list[Repository]:
    """Have workers sync the repositories, and remember whom to show what. Returns those asked for.

    Each request is in the admin's log. Repositories that are switched off or paused are left out, with a message.
    """
    before = last_runs(repository.pk for repository in repositories)
    asked = {}
    for repository in repositories:
        try:
            task = ask_for_sync(request.user, repository, full=full)
        except NotPossible as error:
            messages.warning(request, f"No sync of {repository.name}. {error}")
            continue
        asked[repository.pk] = standing(repository, task, before.get(repository.pk))
    if not asked:
        return []
    _remember(request, asked)
    return [repository for repository in repositories if repository.pk in asked]


def asked_for(request: HttpRequest, repository_id: int) -> Asked | None:
    """The last request of this session for a repository."""
    return _remembered(request).get(repository_id)


def _remember(request: HttpRequest, asked: dict[int, Asked]) -> None:
    known = {pk: item for pk, item in _remembered(request).items() if pk not in asked} | asked
    newest = list(known.items())[-MAX_REMEMBERED:]
    request.session[SESSION_KEY] = {
        "requests": {str(pk): item.to_json() for pk, item in newest},
        "latest": list(asked)[-MAX_REMEMBERED:],
    }


def _remembered(request: HttpRequest) -> dict[int, Asked]:
    stored = request.session.get(SESSION_KEY, {}).get("requests", {})
    return {int(pk): Asked.from_json(item) for pk, item in stored.items()}


class SyncViews:
    """The pages of requests, added to the urls of the repositories' admin."""

    def __init__(self, model_admin: ModelAdmin[Repository]) -> None:
        self._admin = model_admin

    def urls(self) -> list[URLPattern]:
        view = self._admin.admin_site.admin_view
        return [
            path("named/<str:name>/", view(self.named), name="gitsync_repository_named"),
            path("asked/", view(self.asked), name="gitsync_repository_asked"),
            path("asked/status/", view(self.asked_status), name="gitsync_repository_asked_status"),
            path("<int:pk>/sync/", view(self.sync), name="gitsync_repository_sync"),
            path("<int:pk>/sync/status/", view(self.status), name="gitsync_repository_sync_status"),
        ]

    def named(self, request: HttpRequest, name: str) -> HttpResponse:
        """A repository's page, by its name."""
        self._require_view(request)
        repository = get_object_or_404(visible_repositories(request.user), name=name)
        return HttpResponseRedirect(cells.page_of("gitsync_repository", repository.pk))

    def sync(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button: ask, and go back to the page, which shows what comes of it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._admin.has_change_permission(request):
            raise PermissionDenied
        repository = get_object_or_404(visible_repositories(request.user), pk=pk)
        ask(request, [repository], full="full" in request.POST)
        return HttpResponseRedirect(cells.page_of("gitsync_repository", pk))

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A repository's panel as JSON; see `panel.of_repository`."""
        self._require_view(request)
        repository = get_object_or_404(visible_repositories(request.user), pk=pk)
        return _fresh(JsonResponse(panel.of_repository(request.user, repository, asked_for(request, pk))))

    def asked(self, request: HttpRequest) -> HttpResponse:
        """What comes of the session's last request, where that was for several repositories."""
        self._require_view(request)
        context = {
            **self._admin.admin_site.each_context(request),
            "title": "Sync now",
            "opts": self._admin.opts,
            "media": self._admin.media,
            "panel": self._panel(request),
            "status_url": reverse("admin:gitsync_repository_asked_status"),
        }
        return _fresh(TemplateResponse(request, "admin/gitsync/repository/asked.html", context))

    def asked_status(self, request: HttpRequest) -> HttpResponse:
        """The same as JSON; see `panel.of_requests`."""
        self._require_view(request)
        return _fresh(JsonResponse(self._panel(request)))

    def _panel(self, request: HttpRequest) -> dict[str, Any]:
        latest = request.session.get(SESSION_KEY, {}).get("latest", [])
        if not latest:
            raise Http404("nothing was asked for in this session")
        known = _remembered(request)
        repositories = list(visible_repositories(request.user).filter(pk__in=latest))
        return panel.of_requests(request.user, repositories, {pk: known[pk] for pk in latest if pk in known})

    def _require_view(self, request: HttpRequest) -> None:
        if not self._admin.has_view_permission(request):
            raise PermissionDenied


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
