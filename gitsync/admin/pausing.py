"""Pausing with a reason, and resuming: one repository from its page, several from the list.

Whether somebody may is asked by the plain permission to change repositories: what is declared is read-only in its
configuration, not in this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from gitsync.actions import MAX_REASON, ActionRefused, pause, resume
from gitsync.admin import states
from gitsync.admin.views import Views
from gitsync.models import Repository
from kiok.metadata.admin import display

UNDER_WAY = (
    " The sync that is under way commits nothing, unless it had committed already; it is not repeated "
    "before the repository is resumed."
)


class PauseViews(Views):
    """The buttons, added to the urls of the repositories' admin, and the actions of its list."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("<int:pk>/pause/", view(require_POST(self.pause)), name="gitsync_repository_pause"),
            path("<int:pk>/resume/", view(require_POST(self.resume)), name="gitsync_repository_resume"),
        ]

    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form on the page: pause, or give another reason."""
        repository = self.changeable(request, pk)
        try:
            _pause(request, repository, request.POST.get("reason", ""))
        except ActionRefused as error:
            messages.error(request, f"Not paused. {error}")
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button on the page."""
        _resume(request, self.changeable(request, pk))
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def pause_selected(self, request: HttpRequest, repositories: Sequence[Repository]) -> HttpResponse | None:
        """The action: ask for the reason on a page in between, then pause them all with it."""
        reason = request.POST.get("reason")
        problem = ""
        if reason is not None:
            try:
                for repository in repositories:
                    _pause(request, repository, reason)
                return None
            except ActionRefused as error:
                problem = str(error)
        return self.framed(
            request,
            "admin/gitsync/repository/pause_selected.html",
            "Pause repositories",
            repositories=repositories,
            action_checkbox_name=ACTION_CHECKBOX_NAME,
            max_reason=MAX_REASON,
            reason=reason or "",
            problem=problem,
        )

    def resume_selected(self, request: HttpRequest, repositories: Sequence[Repository]) -> None:
        """The action: resume them all."""
        for repository in repositories:
            _resume(request, repository)


def pause_context(repository: Repository) -> dict[str, Any]:
    """What pause.html shows of a repository."""
    return {
        "paused": repository.is_paused,
        "by": repository.paused_by,
        "since": display.age(repository.paused_at),
        "reason": repository.pause_reason,
        "max_reason": MAX_REASON,
        "under_way": UNDER_WAY if repository.is_paused and states.is_claimed(repository) else "",
    }


def _pause(request: HttpRequest, repository: Repository, reason: str) -> None:
    """Pause, and say so. Raises NotPossible."""
    pause(request.user, repository, reason)
    under_way = UNDER_WAY if states.is_claimed(repository) else ""
    text = f"Paused {repository.name}: it is neither looked at nor synced, and its DAGs stay as they are.{under_way}"
    messages.success(request, text)


def _resume(request: HttpRequest, repository: Repository) -> None:
    """Resume, and say so."""
    if not repository.is_paused:
        messages.info(request, f"Not resumed: {repository.name} is not paused.")
        return
    resume(request.user, repository)
    messages.success(request, f"Resumed {repository.name}. It is looked at next.")
