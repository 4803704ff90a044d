"""Webhook deliveries in the admin: what each repository received, and the outcome."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.admin import states
from gitsync.admin.repository_filter import RepositoryFilter, ServiceFilter
from gitsync.admin.row_search import RepositoryRowSearch
from gitsync.models import Delivery, Repository
from kiok.metadata.admin import display, list_cells
from kiok.metadata.admin.read_only import ReadOnlyAdmin


@admin.register(Delivery)
class DeliveryAdmin(RepositoryRowSearch, ReadOnlyAdmin):
    list_display = ("delivery", "outcome_badge", "status", "pushed", "received")
    list_filter = (RepositoryFilter, "outcome", ServiceFilter, "received_at")
    list_select_related = ("repository",)
    # Ids are compared as they are stored, which is cheaper.
    search_fields = (
        "event__icontains",
        "ref__icontains",
        "delivery_id__contains",
        "correlation_id__contains",
    )
    fields = (
        *("repository_link", "received_at", "service", "event", "ref", "delivery_id", "correlation_id"),
        *("status", "outcome_badge"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        visible: QuerySet[Any] = rows.visible_to(request.user)
        return visible

    def subtitle(self, obj: Delivery) -> str:
        return f"Webhook delivery {obj.pk} for {obj.repository.name}"

    @admin.display(description="repository")
    def repository_link(self, delivery: Delivery) -> str:
        return display.link(
            display.page_of("gitsync_repository", delivery.repository_id), delivery.repository.name
        )

    @admin.display(description="received", ordering="received_at")
    def received(self, delivery: Delivery) -> str:
        return display.age(delivery.received_at)

    @admin.display(description="delivery", ordering="id")
    def delivery(self, delivery: Delivery) -> str:
        return list_cells.two_lines(delivery.repository.name, f"Delivery {delivery.pk}")

    @admin.display(description="event and refs", ordering="ref")
    def pushed(self, delivery: Delivery) -> str:
        event = f"{delivery.service} {delivery.event}".strip() or display.NOTHING
        return list_cells.two_lines(event, delivery.ref[:300]) if delivery.ref else event

    @admin.display(description="outcome", ordering="outcome")
    def outcome_badge(self, delivery: Delivery) -> str:
        return states.outcome(delivery.outcome)


def last_deliveries(repository: Repository, number: int) -> list[dict[str, Any]]:
    """Return the newest deliveries for a repository's page."""
    return [
        {
            "number": delivery.pk,
            "url": display.page_of("gitsync_delivery", delivery.pk),
            "received": display.age(delivery.received_at),
            "event": f"{delivery.service} {delivery.event}".strip() or display.NOTHING,
            "ref": display.shortened(delivery.ref, 60),
            "status": delivery.status,
            "outcome": states.outcome(delivery.outcome),
        }
        for delivery in Delivery.objects.filter(repository=repository).order_by("-id")[:number]
    ]
