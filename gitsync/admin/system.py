"""The page of the system: the engine, its images, and whether the sandbox's walls stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django_q.models import Task

from compilers.sandbox.check import Examination
from gitsync import sandbox_check
from gitsync.admin.sync_status import worker_hint
from gitsync.models import Repository
from kiok.metadata.admin import cells
from kiok.metadata.admin.cells import Tone

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

SESSION_KEY = "gitsync_sandbox_check"
PATIENCE = timedelta(minutes=15)
"""After that a check without result is given up: its task may have been swept away."""


class SystemViews:
    """The page and its button."""

    def __init__(self, model_admin: ModelAdmin[Repository]) -> None:
        self._admin = model_admin

    def urls(self) -> list[URLPattern]:
        view = self._admin.admin_site.admin_view
        return [
            path("system/", view(self.page), name="gitsync_system"),
            path("system/check/", view(self.check), name="gitsync_system_check"),
            path("system/status/", view(self.status), name="gitsync_system_status"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        """What the last check found, and the button for another."""
        self._require_view(request)
        may_check = self._admin.has_change_permission(request)
        context = {
            **self._admin.admin_site.each_context(request),
            "title": "System",
            "opts": self._admin.opts,
            "media": self._admin.media,
            "panel": _panel(request),
            "status_url": reverse("admin:gitsync_system_status"),
            "check_url": reverse("admin:gitsync_system_check") if may_check else "",
        }
        return _fresh(TemplateResponse(request, "admin/gitsync/system.html", context))

    def check(self, request: HttpRequest) -> HttpResponse:
        """The button: have a worker try the walls, and go back to the page, which shows what it found."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._admin.has_change_permission(request):
            raise PermissionDenied
        request.session[SESSION_KEY] = {"task": sandbox_check.enqueue(), "at": timezone.now().isoformat()}
        return HttpResponseRedirect(reverse("admin:gitsync_system"))

    def status(self, request: HttpRequest) -> HttpResponse:
        """The panel as JSON; see `_panel`."""
        self._require_view(request)
        return _fresh(JsonResponse(_panel(request)))

    def _require_view(self, request: HttpRequest) -> None:
        if not self._admin.has_view_permission(request):
            raise PermissionDenied


def _panel(request: HttpRequest) -> dict[str, Any]:
    """`{"settled": bool, "parts": {"line": html, "body": html}}`: what the last check found, whoever asked for it."""
    settled = not _is_waiting(request)
    waiting = (cells.badge(Tone.BUSY, "checking"), "Waiting for a worker's answer.", "")
    badge, text, body = _last() if settled else waiting
    items = [{"badge": badge, "text": text}]
    hint = "" if settled else worker_hint()
    line = render_to_string("gitsync/status_line.html", {"items": items, "hint": hint})
    return {"settled": settled, "parts": {"line": line, "body": body}}


def _is_waiting(request: HttpRequest) -> bool:
    """Whether this session has asked for a check that may still come."""
    asked = request.session.get(SESSION_KEY)
    if not asked or timezone.now() - datetime.fromisoformat(asked["at"]) > PATIENCE:
        return False
    return not Task.objects.filter(pk=asked["task"]).exists()


def _last() -> tuple[str, str, str]:
    """Badge, text and tables of the last check on record."""
    task = Task.objects.filter(func=sandbox_check.TASK).order_by("-stopped").first()
    if task is None:
        return cells.badge(Tone.IDLE, "not checked"), "No check is on record.", ""
    if not task.success:
        text = "The worker failed at it; the service's log has the details."
        return cells.badge(Tone.BAD, "no result"), text, ""
    if task.result["error"]:
        return cells.badge(Tone.BAD, "no sandbox"), task.result["error"], ""
    return _found(Examination.from_json(task.result["examination"]), task.stopped)


def _found(examination: Examination, when: datetime) -> tuple[str, str, str]:
    bad = sum(not finding.ok for finding in examination.findings)
    badge = cells.badge(Tone.BAD, "less than promised") if bad else cells.badge(Tone.GOOD, "as promised")
    text = f"{len(examination.findings) - bad} of {len(examination.findings)} layers are as promised."
    rows = [
        {
            "finding": finding,
            "badge": cells.badge(*((Tone.GOOD, "yes") if finding.ok else (Tone.BAD, "no"))),
        }
        for finding in examination.findings
    ]
    facts = [*examination.facts, ("Checked", cells.age(when)), ("Took", cells.seconds(examination.seconds))]
    return badge, text, render_to_string("gitsync/system.html", {"rows": rows, "facts": facts})


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
