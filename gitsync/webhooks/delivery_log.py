"""Keeping the log of deliveries: what is written, and how much of it is kept."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from gitsync.models.delivery import ASKED, Delivery
from kiok.cluster.conf import properties

KEPT_ASKED = 200
KEPT_OTHERS = 50
"""Rows of one repository. Apart, so that no flood of refused ones drives out what replays are told by."""


def write(delivery: Delivery) -> None:
    """Record a delivery. Raises IntegrityError if it led to a sync and one with its id has done so before."""
    # First, so that of two at once the one that waits for the other holds nothing yet.
    delivery.save(force_insert=True)
    is_alike = Q(outcome__in=ASKED) if delivery.outcome in ASKED else ~Q(outcome__in=ASKED)
    rows = Delivery.objects.filter(repository_id=delivery.repository_id)
    newest = rows.filter(is_alike).order_by("-id").values("pk")
    kept = newest[: KEPT_ASKED if delivery.outcome in ASKED else KEPT_OTHERS]
    going = is_alike & ~Q(pk__in=kept)
    if (
        days := properties().retention_deliveries_days
    ):  # `gitsync.retention` sees to repositories that get no more
        going |= Q(received_at__lt=Now() - timedelta(days=days))
    rows.filter(going).delete()


def printable(text: str, characters: int) -> str:
    """What of a text from outside may be stored and shown."""
    return "".join(character for character in text[: 4 * characters] if character.isprintable())[:characters]
