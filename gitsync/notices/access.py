"""Who may see and change which receivers, and with them what was told.

A receiver is told of repositories, so whoever may edit it can have itself told: it is seen by those who see all that it
may be told of, by its groups and repositories, and nobody else.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from gitsync.access import (
    CONNECTIONS,
    VIEW_CONNECTION,
    sees_all,
    visible_repositories,
)
from gitsync.models import NoticeDelivery, NoticeReceiver, Repository
from kiok.connections.models import Connection


def visible_receivers(user: Any) -> QuerySet[NoticeReceiver]:
    """The receivers that the user may see."""
    rows = NoticeReceiver.objects.all()
    if sees_all(user):
        return rows
    through_groups, through_repositories = (
        NoticeReceiver.groups.through.objects,
        NoticeReceiver.repositories.through.objects,
    )
    of_others = Q(pk__in=through_groups.exclude(group__in=user.groups.all()).values("noticereceiver")) | Q(
        pk__in=through_repositories.exclude(
            repository__in=visible_repositories(user).order_by().values("pk")
        ).values("noticereceiver")
    )
    of_some = Q(pk__in=through_groups.values("noticereceiver")) | Q(
        pk__in=through_repositories.values("noticereceiver")
    )
    return rows.filter(of_some, ~of_others, all_repositories=False)


def visible_deliveries(rows: QuerySet[NoticeDelivery, Any], user: Any) -> QuerySet[NoticeDelivery, Any]:
    """Of these, those of receivers and repositories that the user may see."""
    if sees_all(user):
        return rows
    theirs = visible_repositories(user).order_by().values("pk")
    return rows.filter(
        Q(notice__repository__isnull=True) | Q(notice__repository__in=theirs),
        receiver__in=visible_receivers(user).order_by().values("pk"),
    )


def usable_connections(user: Any, receiver: NoticeReceiver) -> QuerySet[Connection]:
    """The connections that the user may choose for a receiver, which are handed to its server.

    The one that is set; with the permission to view connections also those that neither a repository nor a receiver
    uses which the user does not see.
    """
    set_now = Q(pk=receiver.secret_id) if receiver.secret_id else Q(pk__in=())
    if not user.has_perm(VIEW_CONNECTION):
        return Connection.objects.filter(set_now)
    if sees_all(user):
        return Connection.objects.all()
    hidden = Repository.objects.exclude(pk__in=visible_repositories(user).values("pk")).order_by()
    elsewhere = Q(
        pk__in=NoticeReceiver.objects.exclude(pk__in=visible_receivers(user).values("pk"))
        .filter(secret__isnull=False)
        .order_by()
        .values("secret")
    )
    for field in CONNECTIONS:
        elsewhere |= Q(pk__in=hidden.filter(**{f"{field}__isnull": False}).values(field))
    return Connection.objects.filter(set_now | ~elsewhere)
