"""Notification channels in the admin: their configuration, a test notification, and the last deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse

from gitsync.admin.notification_channel_form import NoticeReceiverForm
from gitsync.models import NoticeReceiver, NoticeState, ReceiverKind
from gitsync.notices import outbox
from gitsync.notices.access import visible_deliveries, visible_receivers
from kiok.cluster.conf import properties
from kiok.metadata.admin import display
from kiok.metadata.admin.change_page import ChangePageAdmin
from kiok.metadata.admin.display import Tone
from kiok.net.errors import NetError
from kiok.notifications.destination import parse_destination

SHOWN = 10  # newest notifications on a channel's page
_STATE = {
    NoticeState.WAITING: Tone.BUSY,
    NoticeState.SENT: Tone.GOOD,
    NoticeState.GIVEN_UP: Tone.BAD,
}


@admin.register(NoticeReceiver)
class NoticeReceiverAdmin(ChangePageAdmin):
    form = NoticeReceiverForm
    list_display = ("name", "enabled", "kind", "where", "told_of", "last")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    list_per_page = 50
    list_select_related = ("secret",)

    class Media:
        css = {"all": ["kiok/admin.css", "gitsync/repository.css"]}
        js = [Script("gitsync/sync_status.js", defer=True)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return visible_receivers(request.user).prefetch_related("groups", "repositories")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_fields(self, request: HttpRequest, obj: NoticeReceiver | None = None) -> Any:
        """Return the fields. A URL may be a secret, so users who may only view the channel see just its host."""
        fields = [*NoticeReceiverForm.Meta.fields]
        if obj is not None and not self.has_change_permission(request, obj):
            fields[fields.index("url")] = "where"
        elif not request.user.has_perm("gitsync.view_all_repositories"):
            fields.remove("all_repositories")
        return fields

    def save_model(self, request: HttpRequest, obj: NoticeReceiver, form: Any, change: bool) -> None:  # noqa: ARG002
        if change:
            # Not the sender's observed fields. The edit may have fixed the cause of failure, so retry immediately.
            obj.retry_at, obj.failures = None, 0
            fields = {*NoticeReceiverForm.Meta.fields} - {"groups", "repositories"}
            obj.save(update_fields=[*fields, "retry_at", "failures"])
            if not obj.enabled:
                outbox.cancel_pending(obj)
        else:
            obj.save(force_insert=True)

    def get_readonly_fields(
        self,
        request: HttpRequest,
        obj: NoticeReceiver | None = None,
    ) -> tuple[str, ...]:
        return ("where",) if obj is not None and not self.has_change_permission(request, obj) else ()

    @admin.display(description="destination")
    def where(self, receiver: NoticeReceiver) -> str:
        if receiver.kind == ReceiverKind.EMAIL:
            return display.shortened(", ".join(receiver.address_list), 80)
        if not receiver.url:
            return f"webhookUrl of connection {receiver.secret_id}"
        try:
            return parse_destination(receiver.url, properties()).shown
        except NetError:
            return "an unusable URL"

    @admin.display(description="repositories")
    def told_of(self, receiver: NoticeReceiver) -> str:
        if receiver.all_repositories:
            return "all repositories"
        groups = [f"group {group.name}" for group in receiver.groups.all()]
        names = [*groups, *(repository.name for repository in receiver.repositories.all())]
        return display.shortened(", ".join(names), 80)

    @admin.display(description="failures")
    def last(self, receiver: NoticeReceiver) -> str:
        if receiver.failures:
            return display.badge(Tone.BAD, f"{receiver.failures} consecutive failures")
        return display.NOTHING

    # The page of one channel.

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", view(self.test), name="gitsync_noticereceiver_test"),
            path("<int:pk>/status/", view(self.status), name="gitsync_noticereceiver_status"),
            *super().get_urls(),
        ]

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a test notification in the outbox, and redirect to the channel's page, which shows its outcome."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        receiver = get_object_or_404(visible_receivers(request.user), pk=pk)
        if receiver.enabled:
            outbox.put_test(receiver)
            LogEntry.objects.log_actions(
                int(request.user.pk or 0),
                [receiver],
                CHANGE,
                change_message="Requested a test notification.",
                single_object=True,
            )
        else:
            messages.warning(request, f"The channel {receiver.name} is disabled. Enable it first.")
        return HttpResponseRedirect(display.page_of("gitsync_noticereceiver", pk))

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the panel as JSON; see `_panel`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        receiver = get_object_or_404(visible_receivers(request.user), pk=pk)
        response = JsonResponse(_panel(request, receiver))
        response["Cache-Control"] = "no-store"
        return response

    def details(self, request: HttpRequest, obj: NoticeReceiver | None) -> dict[str, Any]:
        if obj is None:
            return {}
        may_change = self.has_change_permission(request)
        return {
            "panel": _panel(request, obj),
            "status_url": reverse("admin:gitsync_noticereceiver_status", args=[obj.pk]),
            "test_url": reverse("admin:gitsync_noticereceiver_test", args=[obj.pk]) if may_change else "",
        }


def _panel(request: HttpRequest, receiver: NoticeReceiver) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"body": html}}`: the channel's state and newest notifications."""
    rows = receiver.deliveries.select_related("notice__repository").order_by("-id")
    newest = list(visible_deliveries(rows, request.user)[:SHOWN])
    is_waiting = receiver.enabled and any(row.state == NoticeState.WAITING for row in newest)
    stored = NoticeReceiver.objects.get(pk=receiver.pk)
    line = ""
    if stored.failures:
        line = f"Consecutive failures: {stored.failures}."
    elif is_waiting:
        line = "Waiting for a worker."
    deliveries = [
        {
            "id": str(row.notice.uid),
            "when": display.age(row.attempted_at or row.created_at),
            "event": row.notice.event,
            "repository": row.notice.repository.name if row.notice.repository else display.NOTHING,
            "message": display.shortened(row.notice.message, 60),
            "state": display.badge(_STATE[NoticeState(row.state)], str(NoticeState(row.state).label)),
            "attempts": row.attempts,
            "outcome": display.shortened(row.outcome, 200),
        }
        for row in newest
    ]
    retry = display.age(stored.retry_at) if stored.failures and stored.retry_at and is_waiting else ""
    body = render_to_string(
        "gitsync/notice_deliveries.html", {"deliveries": deliveries, "line": line, "retry": retry}
    )
    # A failed notification is retried later, after its back-off; the page does not wait for it.
    return {"settled": not is_waiting or stored.failures > 0, "parts": {"body": body}}
