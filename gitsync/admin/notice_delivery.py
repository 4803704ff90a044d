"""Notices in the admin: what was told to whom, and what became of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.models import NoticeDelivery, NoticeState
from gitsync.notices.access import visible_deliveries
from kiok.metadata.admin import cells
from kiok.metadata.admin.cells import Tone
from kiok.metadata.admin.read_only import ReadOnlyAdmin

_STATE = {
    NoticeState.WAITING: Tone.BUSY,
    NoticeState.SENT: Tone.GOOD,
    NoticeState.GIVEN_UP: Tone.BAD,
}


def delivery_state(delivery: NoticeDelivery) -> str:
    """What became of it, as a badge."""
    state = NoticeState(delivery.state)
    return cells.badge(_STATE[state], state.label)


@admin.register(NoticeDelivery)
class NoticeDeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "created_at", "receiver", "repository", "event", "state_badge", "attempts"),
        *("attempted_at", "short_outcome"),
    )
    list_filter = ("state", "notice__event", "created_at")
    list_select_related = ("receiver", "notice__repository")
    search_fields = ("receiver__name", "notice__repository__name", "outcome")
    fields = (
        *("receiver_link", "repository_link", "event", "before", "reason", "message", "commit"),
        *("notice_id", "created_at", "state_badge", "attempts", "attempted_at", "outcome"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return visible_deliveries(super().get_queryset(request), request.user)

    def subtitle(self, obj: NoticeDelivery) -> str:
        return f"Notice {obj.pk} to {obj.receiver.name}"

    @admin.display(description="receiver")
    def receiver_link(self, delivery: NoticeDelivery) -> str:
        return cells.link(
            cells.page_of("gitsync_noticereceiver", delivery.receiver_id), delivery.receiver.name
        )

    @admin.display(description="repository", ordering="notice__repository__name")
    def repository(self, delivery: NoticeDelivery) -> str:
        repository = delivery.notice.repository
        return repository.name if repository else cells.NOTHING

    @admin.display(description="repository")
    def repository_link(self, delivery: NoticeDelivery) -> str:
        repository = delivery.notice.repository
        if repository is None:
            return cells.NOTHING
        return cells.link(cells.page_of("gitsync_repository", repository.pk), repository.name)

    @admin.display(description="tells of", ordering="notice__event")
    def event(self, delivery: NoticeDelivery) -> str:
        return delivery.notice.get_event_display()

    @admin.display(description="told before")
    def before(self, delivery: NoticeDelivery) -> str:
        return delivery.notice.before or cells.NOTHING

    @admin.display(description="reason")
    def reason(self, delivery: NoticeDelivery) -> str:
        return delivery.notice.reason or cells.NOTHING

    @admin.display(description="message")
    def message(self, delivery: NoticeDelivery) -> str:
        return cells.preformatted(delivery.notice.message)

    @admin.display(description="commit")
    def commit(self, delivery: NoticeDelivery) -> str:
        return cells.commit(delivery.notice.commit)

    @admin.display(description="id (Kiok-Notice-Id)")
    def notice_id(self, delivery: NoticeDelivery) -> str:
        return str(delivery.notice.uid)

    @admin.display(description="state", ordering="state")
    def state_badge(self, delivery: NoticeDelivery) -> str:
        return delivery_state(delivery)

    @admin.display(description="outcome")
    def short_outcome(self, delivery: NoticeDelivery) -> str:
        return cells.shortened(delivery.outcome, 80)
