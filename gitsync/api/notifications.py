"""`/notification-channels` and `/notification-deliveries`: where notifications go, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, contains, or_earliest
from gitsync.api.problems import not_found
from gitsync.api.repository_filters import RepositoryStateName
from gitsync.api.schemas import ABSENT, Flag, Instant, Key, RepositoryFilter, Search, Sent, Time, absent
from gitsync.models import TokenScope
from kiok.notifications.models import NotificationChannel, NotificationDelivery

router = Router(tags=["notifications"], by_alias=True)

VIEW = "notifications.view_notificationchannel"
BY_NAME = Order(
    (Column("name", str),),
    Column("name", str),
    {
        "name": Column("name", str),
        "consecutiveFailures": Column("failures", int),
        "createdAt": Column("created_at", datetime),
    },
)
NEWEST_FIRST = Order(
    (Column("id", int, descending=True),),
    Column("id", int),
    {
        "createdAt": Column("created_at", datetime),
        "attemptedAt": Column("attempt_time", datetime),
        "attempts": Column("attempts", int),
    },
)
SEARCHED = ("notification__message", "notification__reason", "outcome")

ChannelKindName = Literal["webhook", "email"]
DeliveryStateName = Literal["waiting", "sent", "given_up"]
EventName = Literal["failing", "degraded", "recovered", "test"]


class ChannelOut(Sent):
    """A notification channel, without its secrets: a URL can be one, so only its host is shown."""

    id: int
    name: str
    enabled: bool
    kind: ChannelKindName
    destination: str = Field(description="The scheme and host of the webhook, or the e-mail addresses.")
    connection_id: str | None = Field(
        description="The connection with the webhook's URL, authorization or signing key."
    )
    format: str = Field(description="The format of a webhook's body.")
    all_repositories: bool
    groups: list[str] = Field(description="The groups whose repositories the channel reports.")
    repositories: list[str] = Field(description="The repositories that the channel reports.")
    consecutive_failures: int
    retry_at: Time = Field(description="After a failure: when the next attempt is due.")
    created_at: datetime


class ChannelPage(Sent):
    """A page of notification channels."""

    items: list[ChannelOut]
    next: str | None
    total: Total


class NotificationDeliveryOut(Sent):
    """A notification on one channel, and what became of it."""

    id: int
    notification_id: str = Field(description="The id that the notification itself has.")
    channel: str
    channel_id: int
    repository: str | None = Field(description="The repository; null for a test notification.")
    event: EventName
    repository_state: RepositoryStateName | None = Field(
        description="The state of the repository that the notification reports; null for a test notification."
    )
    reason: str
    message: str
    commit: str
    state: DeliveryStateName
    attempts: int
    outcome: str = Field(description="The result of the last attempt.")
    created_at: datetime
    attempted_at: Time


class NotificationDeliveryPage(Sent):
    """A page of deliveries."""

    items: list[NotificationDeliveryOut]
    next: str | None
    total: Total


@router.get(
    "/notification-channels",
    response=ChannelPage,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="List notification channels",
)
def notification_channels(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    kind: Annotated[ChannelKindName, Field(description="Only channels of this kind.")] = ABSENT,
    enabled: Annotated[
        Flag, Field(description="true: only enabled channels; false: only disabled ones.")
    ] = ABSENT,
    search: Annotated[Search, Field(description="Text to find in the name.")] = ABSENT,
    sort: Annotated[str, BY_NAME, SORT] = ABSENT,
) -> ChannelPage:
    """List the notification channels whose repositories the user may all see, ordered by name or by `sort`."""
    given = {"kind": kind, "enabled": enabled, "name__icontains": search}
    rows = _channels(request).filter(**{key: value for key, value in given.items() if value is not None})
    page = pages.cut(rows, BY_NAME, request, limit, cursor, sort)
    return ChannelPage(items=[_channel(row) for row in page.rows], next=page.next, total=page.total)


@router.get(
    "/notification-channels/{id}",
    response=ChannelOut,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="Read a notification channel",
)
def notification_channel(
    request: ApiRequest, id: Annotated[Key, Field(description="The channel's id.")]
) -> ChannelOut:
    """Return one notification channel, without its secrets."""
    row = _channels(request).filter(pk=id).first()
    if row is None:
        raise not_found("notification channel")
    return _channel(row)


@router.get(
    "/notification-deliveries",
    response=NotificationDeliveryPage,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="List deliveries of notifications",
)
def notification_deliveries(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    channel: Annotated[Key, Field(description="Only deliveries on the channel with this id.")] = ABSENT,
    repository: RepositoryFilter = ABSENT,
    state: Annotated[DeliveryStateName, Field(description="Only deliveries in this state.")] = ABSENT,
    event: Annotated[EventName, Field(description="Only deliveries of this event.")] = ABSENT,
    created_after: Annotated[
        Instant, Field(description="Only deliveries that were created at this time or later.")
    ] = absent("createdAfter"),
    created_before: Annotated[
        Instant, Field(description="Only deliveries that were created before this time.")
    ] = absent("createdBefore"),
    search: Annotated[Search, Field(description="Text to find in the message, reason or outcome.")] = ABSENT,
    sort: Annotated[str, NEWEST_FIRST, SORT] = ABSENT,
) -> NotificationDeliveryPage:
    """List the deliveries of notifications that the user may see, newest first unless `sort` is sent."""
    given = {
        "channel": channel,
        "notification__repository__name": repository,
        "state": state,
        "notification__event": event,
        "created_at__gte": created_after,
        "created_at__lt": created_before,
    }
    rows: QuerySet[Any] = NotificationDelivery.objects.visible_to(request.auth.user)
    rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
    if search:
        rows = rows.filter(contains(search, *SEARCHED))
    rows = rows.select_related("channel", "notification__repository")
    rows = rows.annotate(attempt_time=or_earliest("attempted_at"))
    page = pages.cut(rows, NEWEST_FIRST, request, limit, cursor, sort)
    items = [_delivery(row) for row in page.rows]
    return NotificationDeliveryPage(items=items, next=page.next, total=page.total)


def _channels(request: ApiRequest) -> QuerySet[NotificationChannel]:
    visible: QuerySet[NotificationChannel] = NotificationChannel.objects.visible_to(request.auth.user)
    return visible.prefetch_related("groups", "repositories")


def _channel(row: Any) -> ChannelOut:
    return ChannelOut(
        id=row.pk,
        name=row.name,
        enabled=row.enabled,
        kind=row.kind,
        destination=row.shown_destination,
        connection_id=row.secret_id,
        format=row.style,
        all_repositories=row.all_repositories,
        groups=sorted(group.name for group in row.groups.all()),
        repositories=sorted(repository.name for repository in row.repositories.all()),
        consecutive_failures=row.failures,
        retry_at=row.retry_at,
        created_at=row.created_at,
    )


def _delivery(row: Any) -> NotificationDeliveryOut:
    notification = row.notification
    return NotificationDeliveryOut(
        id=row.pk,
        notification_id=str(notification.uid),
        channel=row.channel.name,
        channel_id=row.channel_id,
        repository=notification.repository.name if notification.repository else None,
        event=notification.event,
        repository_state=notification.state or None,
        reason=notification.reason,
        message=notification.message,
        commit=notification.commit,
        state=row.state,
        attempts=row.attempts,
        outcome=row.outcome,
        created_at=row.created_at,
        attempted_at=row.attempted_at,
    )
