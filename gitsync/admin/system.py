"""The system page: the container engine, its images, and a check of the sandbox's isolation layers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django_q.models import Task

from compilers.sandbox.self_check import Examination, LayerResult
from gitsync.admin.session_operations import PATIENCE, panel, remembered, start
from gitsync.admin.views import Views
from gitsync.monitoring import sandbox_check
from gitsync.repositories.operation import WORKER_FAILED, OperationKind, OperationState
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone

KIND = OperationKind.SANDBOX_CHECK


class SystemViews(Views):
    """The system page and its button."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("system/", view(self.page), name="gitsync_system"),
            path("system/check/", view(require_POST(self.check)), name="gitsync_system_check"),
            path("system/status/", view(self.status), name="gitsync_system_status"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the result of the last check, and the button for another one."""
        self.require_view(request)
        may_check = self.admin.has_change_permission(request)
        return self.framed(
            request,
            "admin/gitsync/system.html",
            "System",
            panel=_panel(request),
            status_url=reverse("admin:gitsync_system_status"),
            check_url=reverse("admin:gitsync_system_check") if may_check else "",
        )

    def check(self, request: HttpRequest) -> HttpResponse:
        """Request a check of the isolation layers, and redirect to the page, which shows its result."""
        self.require_change(request)
        start(request, KIND, sandbox_check.enqueue)
        return HttpResponseRedirect(reverse("admin:gitsync_system"))

    def status(self, request: HttpRequest) -> HttpResponse:
        """Return the panel as JSON; see `_panel`."""
        self.require_view(request)
        return JsonResponse(_panel(request))


def _panel(request: HttpRequest) -> dict[str, Any]:
    """Return the result of the last check by any user; see `session_operations.panel`."""
    operation = remembered(request, KIND).get(0)
    if operation and operation.poll(PATIENCE)[0] is OperationState.WAITING:
        return panel(Tone.BUSY, "Checking", "Waiting for a worker to run the check.", settled=False)
    task = Task.objects.filter(func=sandbox_check.TASK).order_by("-stopped").first()
    if task is None:
        return panel(Tone.IDLE, "Not checked", "No check has run yet.")
    if not task.success:
        return panel(Tone.BAD, "No result", WORKER_FAILED)
    if task.result["error"]:
        return panel(Tone.BAD, "No sandbox", task.result["error"])
    return _found(Examination.from_json(task.result["examination"]), task.stopped)


def _found(examination: Examination, when: datetime) -> dict[str, Any]:
    bad, weaker = examination.bad, examination.weaker
    tone, word = (Tone.BAD, "Not as expected") if bad else (Tone.GOOD, "As expected")
    text = (
        f"{len(examination.findings) - bad} of {len(examination.findings)} isolation layers are as expected."
    )
    if weaker:
        text += f" {weaker} of them {'is' if weaker == 1 else 'are'} weaker with this engine."
    rows = [{"finding": finding, "badge": _badge(finding)} for finding in examination.findings]
    facts = [
        *examination.facts,
        ("Checked", display.age(when)),
        ("Took", display.seconds(examination.seconds)),
    ]
    body = render_to_string("gitsync/system.html", {"rows": rows, "facts": facts})
    return panel(tone, word, text, body=body)


def _badge(finding: LayerResult) -> SafeString:
    if finding.is_weaker:
        return display.badge(Tone.WARN, "Weaker")
    return display.badge(*((Tone.BAD, "No") if finding.failed else (Tone.GOOD, "Yes")))
