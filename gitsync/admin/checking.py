"""The action "Test connection": request a test, accept a first host key, and show the outcome."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from gitsync.actions import ask_for_connection_test
from gitsync.admin.session_operations import NO_PANEL, PATIENCE, panel, remembered, start, unfinished
from gitsync.admin.views import Views
from gitsync.models import Repository
from gitsync.repositories import connection_test_tasks
from gitsync.repositories.connection_test import RemoteCheck
from gitsync.repositories.operation import OperationKind, OperationState
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone

KIND = OperationKind.CONNECTION_TEST
MAY_ACCEPT = "connections.change_connection"  # accepting a host key changes the connection


def check_panel(request: HttpRequest, repository: Repository) -> dict[str, Any] | None:
    """Return `{"settled": bool, "parts": {"line": html, "body": html}}`; None without a test, or if it is outdated."""
    operation = remembered(request, KIND).get(repository.pk)
    if operation is None:
        return None
    state, result = operation.poll(PATIENCE)
    if state is not OperationState.DONE:
        text = "Waiting for a worker to test the connection."
        return unfinished(state, "Testing", text, "No worker ran the test. Test again.")
    found = RemoteCheck.from_json(result["check"])
    if found.config and found.config != repository.config_hash:
        return None
    tone, word = (Tone.BAD, found.reason) if found.reason else (Tone.GOOD, "Reachable")
    may_accept = found.acceptable and request.user.has_perm(MAY_ACCEPT)
    body = render_to_string(
        "gitsync/remote_check.html",
        {
            "check": found,
            "note": result["note"],
            "refused": result["refused"],
            "left_out_branches": found.n_branches - len(found.branches),
            "left_out_tags": found.n_tags - len(found.tags),
            "commit": display.commit(found.commit),
            "seconds": display.seconds(found.seconds),
            "when": display.age(datetime.fromisoformat(found.checked_at)) if found.checked_at else "",
            "connection": repository.credential_id,
            "accept_url": reverse("admin:gitsync_repository_accept_host_key", args=[repository.pk])
            if may_accept
            else "",
        },
        request,
    )
    return panel(tone, word, found.message, body=body)


class CheckViews(Views):
    """The pages of connection tests, added to the URLs of the repositories' admin."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("<int:pk>/check/", view(require_POST(self.check)), name="gitsync_repository_check"),
            path("<int:pk>/check/status/", view(self.status), name="gitsync_repository_check_status"),
            path(
                "<int:pk>/accept-host-key/",
                view(require_POST(self.accept)),
                name="gitsync_repository_accept_host_key",
            ),
        ]

    def check(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Request a connection test, and redirect to the repository's page, which shows its result."""
        repository = self.syncable(request, pk)
        start(request, KIND, partial(ask_for_connection_test, request.user, repository), pk)
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def accept(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Request that a worker accepts the host key whose fingerprint was shown."""
        if not request.user.has_perm(MAY_ACCEPT):
            raise PermissionDenied
        repository = self.seen(request, pk=pk)
        fingerprint = request.POST.get("fingerprint", "")[:200]
        if fingerprint:
            user_id = int(request.user.pk or 0)
            accept = partial(connection_test_tasks.enqueue_accept, repository.pk, fingerprint, user_id)
            start(request, KIND, accept, pk)
        else:
            messages.error(
                request,
                "No host key was accepted: the request names no fingerprint. Test the connection first.",
            )
        return HttpResponseRedirect(display.page_of("gitsync_repository", pk))

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the panel as JSON; see `check_panel`."""
        shown = check_panel(request, self.seen(request, pk=pk))
        return JsonResponse(shown or NO_PANEL)
