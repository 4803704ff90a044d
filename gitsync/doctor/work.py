"""Who works: leader, workers, the queue between them, and what is told of it."""

from __future__ import annotations

from django.db import DatabaseError
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.timesince import timesince
from django_q.brokers import get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from gitsync import presence
from gitsync.conf import properties
from gitsync.doctor.finding import Finding, fail, ok, warn
from gitsync.health import LONG_WAIT_SECONDS, START_ONE
from gitsync.models import Leadership, NoticeReceiver, ReceiverKind
from gitsync.notices import outbox
from gitsync.readiness import led

MAX_NAMED = 5


def queue() -> Finding:
    """The broker: whether it answers, how much waits, and for how long where it can tell."""
    try:
        broker = get_broker()
        waiting, taken = int(broker.queue_size()), int(broker.lock_size())
    except DatabaseError:
        raise
    except Exception as exc:  # noqa: BLE001 - each kind of broker has errors of its own
        return fail(f"the broker does not answer: {exc}", "Start it, or correct where it is looked for.")
    found = f"{waiting} waiting, {taken} at work"
    if not waiting:
        return ok(found)
    if not isinstance(broker, ORM):
        return ok(found)
    # A task that waits has been there since its `lock`, which django-q2 sets to the time it was put in.
    oldest = (
        OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__lte=Now())
        .annotate(age=Now() - F("lock"))
        .order_by("lock")
        .values_list("age", flat=True)
        .first()
    )
    seconds = oldest.total_seconds() if oldest else 0.0
    found += f", the oldest for {seconds:.0f} s"
    if seconds < LONG_WAIT_SECONDS:
        return ok(found)
    return warn(found, "Start more workers (kiok.workers), or see why they take no tasks.")


def leader() -> Finding:
    """Who leads, and since when."""
    if not properties().gitsync_enabled:
        return ok("not needed: kiok.gitsync.enabled is false")
    row = Leadership.objects.filter(led(), pk=1).first()
    if row is None:
        return fail("nobody leads, so no repository is looked at", START_ONE)
    since = (
        f"since {row.taken_at:%Y-%m-%d %H:%M:%S} UTC" if row.taken_at else "since before this was recorded"
    )
    return ok(f"{presence.in_words(row.holder).rstrip('.')}, {since}")


def workers() -> Finding:
    """How many are alive on which machines, and what they say of their engines."""
    rows = list(presence.alive().order_by("name"))
    if not rows:
        return fail(f"none was seen in the last {presence.ALIVE_SECONDS:.0f} s", START_ONE)
    hosts = sorted({presence.host_of(row.name) for row in rows})
    found = f"{len(rows)} alive on {', '.join(hosts[:MAX_NAMED])}"
    if len(hosts) > MAX_NAMED:
        found += f" and {len(hosts) - MAX_NAMED} more"
    if faulty := [row for row in rows if row.engine]:
        where = presence.host_of(faulty[0].name)
        return fail(
            f"{found}; {len(faulty)} without a usable engine, on {where}: {faulty[0].engine}",
            "Run `manage.py doctor` there.",
        )
    return ok(found)


def notices() -> Finding:
    """Whether those who are to be told can be."""
    receivers = list(NoticeReceiver.objects.filter(enabled=True))
    if not receivers:
        return ok("no receiver is configured")
    by_mail = any(receiver.kind == ReceiverKind.EMAIL for receiver in receivers)
    if by_mail and not properties().mail_host:
        return fail(
            "there are receivers by e-mail, and no mail server", "Set kiok.mail.host and kiok.mail.from."
        )
    number = f"{len(receivers)} receiver{'s' if len(receivers) != 1 else ''}"
    if failing := [receiver for receiver in receivers if receiver.failures]:
        named = ", ".join(receiver.name for receiver in failing[:MAX_NAMED])
        return warn(f"{number}; not reached at the last attempt: {named}", "See their pages in the admin.")
    oldest = outbox.due().order_by("deliveries__created_at").values_list("deliveries__created_at", flat=True)
    waiting = oldest.filter(deliveries__state="waiting").first()
    if waiting and (timezone.now() - waiting).total_seconds() > LONG_WAIT_SECONDS:
        return warn(f"{number}; one waits since {timesince(waiting)}", "See workers and queue.")
    if not properties().web_public_url:
        return warn(f"{number}; notices have no links", "Set kiok.web.public.url.")
    return ok(number)
