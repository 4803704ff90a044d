"""Pausing with a reason, and resuming: one repository on its page, several on the list.

Both need only the permission to change repositories: the configuration of a declared repository is read-only, but it
can be paused.
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
    " The running sync commits nothing, unless it has committed already. It is not repeated "
    "until the repository is resumed."
)


class PauseViews(Views):
    """The buttons, added to the URLs of the repositories' admin, and the actions of its list."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("<int:pk>/pause/", view(require_POST(self.pause)), name="gitsync_repository_pause"),
            path("<int:pk>/resume/", view(require_POST(self.resume)), name="gitsync_repository_resume"),
        ]

    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Pause the repository, or change the reason, from the form on its page."""
        repository = self.changeable(request, pk)
        try:
            _pause(request, repository, request.POST.get("reason", ""))
        except ActionRefused as error:
            messages.error(request, f"Not paused. {error}")
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Resume the repository from the button on its page."""
        _resume(request, self.changeable(request, pk))
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def pause_selected(self, request: HttpRequest, repositories: Sequence[Repository]) -> HttpResponse | None:
        """Ask for the reason on an intermediate page, then pause all selected repositories with it."""
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
        """Resume all selected repositories."""
        for repository in repositories:
            _resume(request, repository)


def pause_context(repository: Repository) -> dict[str, Any]:
    """Return the variables of pause.html for a repository."""
    return {
        "paused": repository.is_paused,
        "by": repository.paused_by,
        "since": display.age(repository.paused_at),
        "reason": repository.pause_reason,
        "max_reason": MAX_REASON,
        "under_way": UNDER_WAY if repository.is_paused and states.is_claimed(repository) else "",
    }


def _pause(request: HttpRequest, repository: Repository, reason: str) -> None:
    """Pause the repository and add a message. Raise ActionRefused."""
    pause(request.user, repository, reason)
    under_way = UNDER_WAY if states.is_claimed(repository) else ""
    text = f"Paused {repository.name}. It is not checked or synced. Its DAGs keep their current state.{under_way}"
    messages.success(request, text)


def _resume(request: HttpRequest, repository: Repository) -> None:
    """Resume the repository and add a message."""
    if not repository.is_paused:
        messages.info(request, f"Nothing to resume: {repository.name} is not paused.")
        return
    resume(request.user, repository)
    messages.success(request, f"Resumed {repository.name}. It is checked next.")
