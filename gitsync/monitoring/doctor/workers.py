"""Checks of the leader and the workers, and of their work: queue, syncs, declared repositories, notifications."""

from __future__ import annotations

from django.db.models import Count
from django.utils import timezone
from django.utils.timesince import timesince
from django_q.brokers import get_broker

from gitsync.models import DeclarationState, ManagedBy, Repository
from gitsync.monitoring.doctor.check import fail, ok, warn
from gitsync.monitoring.health import LONG_WAIT_SECONDS, START_ONE
from gitsync.queue.brokers.errors import BrokerAway
from gitsync.queue.brokers.postgresql import PostgresqlBroker, hears
from gitsync.queue.dequeue import queue_lengths
from kiok.checks import CheckResult
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease
from kiok.notifications import outbox
from kiok.notifications.models import ChannelKind, DeliveryState, NotificationChannel, NotificationDelivery

MAX_NAMED = 5


def queue() -> CheckResult:
    """Check that the broker responds, and report the number of waiting tasks and, if it is known, their age."""
    try:
        broker = get_broker()
        load = broker.load()
    except BrokerAway as exc:
        return fail(exc.found, exc.remedy)
    if isinstance(broker, PostgresqlBroker) and not hears():
        return warn(
            f"{load}; notifications of the database do not arrive, so workers poll for tasks ten times per second",
            "Connect DATABASE_URL to the server itself, or to a pooler in session mode.",
        )
    if load.oldest_seconds is None or load.oldest_seconds < LONG_WAIT_SECONDS:
        return ok(str(load))
    return warn(str(load), "Start more workers (kiok.workers), or find out why they take no tasks.")


def syncs() -> CheckResult:
    """Report the number of queued and running syncs, and the age of the oldest queued one.

    It holds for any broker: the broker's few tasks only wake workers, so its queue has no such count.
    """
    told = queue_lengths(heartbeat.alive().values_list("name", flat=True))
    found = f"{told.waiting} queued, {told.taken} running"
    if not told.waiting:
        return ok(found)
    found += f", the oldest queued for {told.oldest_seconds:.0f} s"
    if told.oldest_seconds < LONG_WAIT_SECONDS:
        return ok(found)
    return warn(
        found,
        "Start more workers (kiok.workers), raise kiok.gitsync.max.syncs or kiok.gitsync.host.syncs if these limits are "
        "reached, or find the slow step on the pages of the running syncs.",
    )


def declaration() -> CheckResult:
    """Report a declaration that the leader does not apply, that is invalid here, or that workers could not apply."""
    lost = DeclarationState.objects.filter(pk=1).values_list("problem", flat=True).first()
    if lost:
        return fail(
            f"the leader does not apply the declaration: {lost}",
            "Do what the message says, and restart the service.",
        )
    found = [str(invalid) for invalid in properties().invalid_repositories]
    named = {invalid.name for invalid in properties().invalid_repositories}
    declared = Repository.objects.filter(managed_by=ManagedBy.CONFIG)
    refused = declared.exclude(declaration_problem="").exclude(name__in=named)
    found += [f"{row.name}: {row.declaration_problem}" for row in refused.order_by("name")]
    if not found:
        return ok(f"{declared.count()} declared repositories")
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return fail(
        f"{len(found)} problems of declared repositories: {'; '.join(found[:MAX_NAMED])}{more}",
        "Correct these declarations and restart the service. The other repositories are synced.",
    )


def leader() -> CheckResult:
    """Report the leader, and since when it leads."""
    row = LeaderLease.current().first()
    is_enabled = properties().gitsync_enabled
    if row is None:
        lacks = "no repository is polled" if is_enabled else "old data is not removed"
        return fail(f"there is no leader, so {lacks}", START_ONE)
    since = (
        f"since {row.taken_at:%Y-%m-%d %H:%M:%S} UTC" if row.taken_at else "since before this was recorded"
    )
    off = "" if is_enabled else "; it polls no repository: kiok.gitsync.enabled is false"
    return ok(f"{heartbeat.in_words(row.holder).rstrip('.')}, {since}{off}")


def workers() -> CheckResult:
    """Report the number of alive workers, their hosts, and problems of their engines."""
    rows = list(heartbeat.alive().order_by("name"))
    if not rows:
        return fail(f"no worker heartbeat in the last {heartbeat.ALIVE_SECONDS:.0f} s", START_ONE)
    hosts = sorted({heartbeat.host_of(row.name) for row in rows})
    found = f"{len(rows)} alive on {', '.join(hosts[:MAX_NAMED])}"
    if len(hosts) > MAX_NAMED:
        found += f" and {len(hosts) - MAX_NAMED} more"
    if faulty := [row for row in rows if row.engine]:
        where = heartbeat.host_of(faulty[0].name)
        return fail(
            f"{found}; {len(faulty)} without a usable engine, on {where}: {faulty[0].engine}",
            "Run `manage.py doctor` there.",
        )
    return ok(found)


def notifications() -> CheckResult:
    """Check that notifications can be delivered."""
    channels = list(NotificationChannel.objects.filter(enabled=True))
    if not channels:
        return ok("no notification channel is configured")
    by_mail = any(channel.kind == ChannelKind.EMAIL for channel in channels)
    if by_mail and not properties().mail_host:
        return fail("there are e-mail channels, but no mail server", "Set kiok.mail.host and kiok.mail.from.")
    number = f"{len(channels)} channel{'s' if len(channels) != 1 else ''}"
    if failing := [channel for channel in channels if channel.failures]:
        named = ", ".join(channel.name for channel in failing[:MAX_NAMED])
        return warn(
            f"{number}; the last attempt failed: {named}", "See the pages of these channels in the admin."
        )
    given_up = outbox.undelivered().filter(state=DeliveryState.GIVEN_UP).values("channel__name")
    if lost := list(given_up.annotate(number=Count("pk")).order_by("channel__name")):
        named = ", ".join(f"{row['number']} to {row['channel__name']}" for row in lost[:MAX_NAMED])
        return warn(
            f"{number}; given up within the last day: {named}",
            "See the pages of these channels in the admin. These notifications are not sent again.",
        )
    waiting = NotificationDelivery.objects.filter(state=DeliveryState.WAITING, channel__in=outbox.due())
    since = waiting.order_by("created_at").values_list("created_at", flat=True).first()
    if since and (timezone.now() - since).total_seconds() > LONG_WAIT_SECONDS:
        return warn(
            f"{number}; a notification has waited for {timesince(since)}",
            "See the checks `workers` and `queue`.",
        )
    if not properties().web_public_url:
        return warn(f"{number}; notifications have no links", "Set kiok.web.public.url.")
    return ok(number)
