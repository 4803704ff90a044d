"""Log of webhook deliveries, with its retention."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from gitsync.models.delivery import ASKED, Delivery
from kiok.cluster.conf import properties

# Rows kept per repository. They are counted separately, so that a flood of refused deliveries does not displace the
# rows by which replays are detected.
KEPT_ASKED = 200
KEPT_OTHERS = 50


def write(delivery: Delivery) -> None:
    """Record a delivery. Raise IntegrityError if it led to a sync and an earlier one with the same id did too."""
    # Insert first: of two concurrent deliveries, the one that waits for the other holds no lock yet.
    delivery.save(force_insert=True)
    is_alike = Q(outcome__in=ASKED) if delivery.outcome in ASKED else ~Q(outcome__in=ASKED)
    rows = Delivery.objects.filter(repository_id=delivery.repository_id)
    newest = rows.filter(is_alike).order_by("-id").values("pk")
    kept = newest[: KEPT_ASKED if delivery.outcome in ASKED else KEPT_OTHERS]
    going = is_alike & ~Q(pk__in=kept)
    # `gitsync.retention` covers repositories that receive no further deliveries.
    if days := properties().retention_deliveries_days:
        going |= Q(received_at__lt=Now() - timedelta(days=days))
    rows.filter(going).delete()
