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

from gitsync.admin.notification_channel_form import NotificationChannelForm
from kiok.metadata.admin import display
from kiok.metadata.admin.change_page import ChangePageAdmin
from kiok.metadata.admin.display import Tone
from kiok.notifications import outbox
from kiok.notifications.models import ChannelKind, DeliveryState, NotificationChannel, NotificationEvent

SHOWN = 10  # newest notifications on a channel's page
SHOWN_NAMES = 5  # in a message
_STATE = {
    DeliveryState.WAITING: Tone.BUSY,
    DeliveryState.SENT: Tone.GOOD,
    DeliveryState.GIVEN_UP: Tone.BAD,
}


@admin.register(NotificationChannel)
class NotificationChannelAdmin(ChangePageAdmin):
    form = NotificationChannelForm
    list_display = ("name", "enabled", "kind", "where", "told_of", "last")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    list_per_page = 50
    list_select_related = ("secret",)
    actions = ("test_selected",)

    class Media:
        css = {"all": ["kiok/admin.css", "gitsync/repository.css"]}
        js = [Script("gitsync/sync_status.js", defer=True)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return NotificationChannel.objects.visible_to(request.user).prefetch_related("groups", "repositories")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_fields(self, request: HttpRequest, obj: NotificationChannel | None = None) -> Any:
        """Return the fields. A URL may be a secret, so users who may only view the channel see just its host."""
        fields = [*NotificationChannelForm.Meta.fields]
        if obj is not None and not self.has_change_permission(request, obj):
            fields[fields.index("url")] = "where"
        elif not request.user.has_perm("gitsync.view_all_repositories"):
            fields.remove("all_repositories")
        return fields

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the field. Django shows none for an explicit through model, which is one only for its column's name."""
        field = db_field.formfield(**kwargs)
        field.help_text = (
            f"{field.help_text} Hold down “Control”, or “Command” on a Mac, to select more than one."
        )
        return field

    def save_model(self, request: HttpRequest, obj: NotificationChannel, form: Any, change: bool) -> None:  # noqa: ARG002
        if change:
            # Not the sender's observed fields. The edit may have fixed the cause of failure, so retry immediately.
            obj.retry_at, obj.failures = None, 0
            fields = {*NotificationChannelForm.Meta.fields} - {"groups", "repositories"}
            obj.save(update_fields=[*fields, "retry_at", "failures"])
            if not obj.enabled:
                outbox.cancel_pending(obj)
        else:
            obj.save(force_insert=True)

    def get_readonly_fields(
        self,
        request: HttpRequest,
        obj: NotificationChannel | None = None,
    ) -> tuple[str, ...]:
        return ("where",) if obj is not None and not self.has_change_permission(request, obj) else ()

    @admin.display(description="destination")
    def where(self, channel: NotificationChannel) -> str:
        shown = channel.shown_destination
        return display.shortened(shown, 80) if channel.kind == ChannelKind.EMAIL else shown

    @admin.display(description="repositories")
    def told_of(self, channel: NotificationChannel) -> str:
        if channel.all_repositories:
            return "all repositories"
        groups = [f"group {group.name}" for group in channel.groups.all()]
        names = [*groups, *(repository.name for repository in channel.repositories.all())]
        return display.shortened(", ".join(names), 80)

    @admin.display(description="failures")
    def last(self, channel: NotificationChannel) -> str:
        if channel.failures:
            return display.badge(Tone.BAD, f"{channel.failures} consecutive failures")
        return display.NOTHING

    # The page of one channel.

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", view(self.test), name="notifications_notificationchannel_test"),
            path("<int:pk>/status/", view(self.status), name="notifications_notificationchannel_status"),
            *super().get_urls(),
        ]

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a test notification in the outbox, and redirect to the channel's page, which shows its outcome."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        channel = get_object_or_404(NotificationChannel.objects.visible_to(request.user), pk=pk)
        _request_test(request, channel)
        return HttpResponseRedirect(display.page_of("notifications_notificationchannel", pk))

    @admin.action(description="Send a test notification", permissions=["change"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Queue a test notification for each selected channel."""
        names = [channel.name for channel in queryset if _request_test(request, channel)]
        if names:
            number = f"{len(names)} channels" if len(names) > 1 else "1 channel"
            shown = display.listed(names[:SHOWN_NAMES], len(names))
            messages.success(
                request,
                f"Queued a test notification for {number}: {shown}. Each channel's page shows its outcome.",
            )

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the panel as JSON; see `_panel`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        channel = get_object_or_404(NotificationChannel.objects.visible_to(request.user), pk=pk)
        response = JsonResponse(_panel(request, channel))
        response["Cache-Control"] = "no-store"
        return response

    def details(self, request: HttpRequest, obj: NotificationChannel | None) -> dict[str, Any]:
        if obj is None:
            return {}
        may_change = self.has_change_permission(request)
        return {
            "panel": _panel(request, obj),
            "status_url": reverse("admin:notifications_notificationchannel_status", args=[obj.pk]),
            "test_url": reverse("admin:notifications_notificationchannel_test", args=[obj.pk])
            if may_change
            else "",
        }


def _request_test(request: HttpRequest, channel: NotificationChannel) -> bool:
    """Queue a test notification, and return True; add a message and return False if the channel is disabled."""
    if not channel.enabled:
        messages.warning(request, f"The channel {channel.name} is disabled. Enable it first.")
        return False
    outbox.put_test(channel)
    LogEntry.objects.log_actions(
        int(request.user.pk or 0),
        [channel],
        CHANGE,
        change_message="Requested a test notification.",
        single_object=True,
    )
    return True


def _panel(request: HttpRequest, channel: NotificationChannel) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"body": html}}`: the channel's state and newest notifications."""
    rows = channel.deliveries.select_related("notification__repository").order_by("-id")
    newest = list(rows.visible_to(request.user)[:SHOWN])
    is_waiting = channel.enabled and any(row.state == DeliveryState.WAITING for row in newest)
    stored = NotificationChannel.objects.get(pk=channel.pk)
    line = ""
    if stored.failures:
        line = f"Consecutive failures: {stored.failures}."
    elif is_waiting:
        line = "Waiting for a worker."
    deliveries = [
        {
            "id": str(row.notification.uid),
            "when": display.age(row.attempted_at or row.created_at),
            "event": NotificationEvent(row.notification.event).label,
            "repository": row.notification.repository.name
            if row.notification.repository
            else display.NOTHING,
            "message": display.shortened(row.notification.message, 60),
            "state": display.badge(_STATE[DeliveryState(row.state)], str(DeliveryState(row.state).label)),
            "attempts": row.attempts,
            "outcome": display.shortened(row.outcome, 200),
        }
        for row in newest
    ]
    retry = display.age(stored.retry_at) if stored.failures and stored.retry_at and is_waiting else ""
    body = render_to_string(
        "gitsync/notification_deliveries.html", {"deliveries": deliveries, "line": line, "retry": retry}
    )
    # A failed notification is retried later, after its back-off; the page does not wait for it.
    return {"settled": not is_waiting or stored.failures > 0, "parts": {"body": body}}
