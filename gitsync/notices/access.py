"""Access to notification channels and their deliveries.

A channel receives notifications about repositories, so a user who may edit it could subscribe to them. Only users who may
see all repositories that a channel covers, through its groups and its repositories, may see the channel.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from gitsync.access import CONNECTIONS, VIEW_CONNECTION
from gitsync.models import NoticeDelivery, NoticeReceiver, Repository
from gitsync.models.visibility import sees_all
from kiok.connections.models import Connection


def visible_receivers(user: Any) -> QuerySet[NoticeReceiver]:
    """Return the channels that the user may see."""
    rows = NoticeReceiver.objects.all()
    if sees_all(user):
        return rows
    through_groups, through_repositories = (
        NoticeReceiver.groups.through.objects,
        NoticeReceiver.repositories.through.objects,
    )
    of_others = Q(pk__in=through_groups.exclude(group__in=user.groups.all()).values("noticereceiver")) | Q(
        pk__in=through_repositories.exclude(
            repository__in=Repository.objects.visible_to(user).order_by().values("pk")
        ).values("noticereceiver")
    )
    of_some = Q(pk__in=through_groups.values("noticereceiver")) | Q(
        pk__in=through_repositories.values("noticereceiver")
    )
    return rows.filter(of_some, ~of_others, all_repositories=False)


def visible_deliveries(rows: QuerySet[NoticeDelivery, Any], user: Any) -> QuerySet[NoticeDelivery, Any]:
    """Return the deliveries of channels and repositories that the user may see."""
    if sees_all(user):
        return rows
    theirs = Repository.objects.visible_to(user).order_by().values("pk")
    return rows.filter(
        Q(notice__repository__isnull=True) | Q(notice__repository__in=theirs),
        receiver__in=visible_receivers(user).order_by().values("pk"),
    )


def usable_connections(user: Any, receiver: NoticeReceiver) -> QuerySet[Connection]:
    """Return the connections that the user may choose for a channel; their secrets are sent to its server.

    These are the current connection and, with the permission to view connections, those that are not used by a repository
    or channel which is hidden from the user.
    """
    set_now = Q(pk=receiver.secret_id) if receiver.secret_id else Q(pk__in=())
    if not user.has_perm(VIEW_CONNECTION):
        return Connection.objects.filter(set_now)
    if sees_all(user):
        return Connection.objects.all()
    hidden = Repository.objects.exclude(pk__in=Repository.objects.visible_to(user).values("pk")).order_by()
    elsewhere = Q(
        pk__in=NoticeReceiver.objects.exclude(pk__in=visible_receivers(user).values("pk"))
        .filter(secret__isnull=False)
        .order_by()
        .values("secret")
    )
    for field in CONNECTIONS:
        elsewhere |= Q(pk__in=hidden.filter(**{f"{field}__isnull": False}).values(field))
    return Connection.objects.filter(set_now | ~elsewhere)
