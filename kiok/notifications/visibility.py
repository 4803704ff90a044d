"""Visibility of notification channels and their deliveries.

A channel receives notifications about repositories, so a user who may edit it could subscribe to them. Only users who may
see all repositories that a channel covers, through its groups and its repositories, may see the channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from django.db.models import Model, Q, QuerySet

# From a user to a subquery of the keys of the repositories that the user may see; None for all repositories.
VisibleKeys = Callable[[Any], "QuerySet[Any, Any] | None"]

M = TypeVar("M", bound=Model)

_visible_keys: VisibleKeys | None = None


def restrict_to(keys: VisibleKeys) -> None:
    """Set the function that `visible_to` uses. The app that owns the repositories calls this."""
    global _visible_keys
    _visible_keys = keys


class ChannelQuerySet(QuerySet[M]):
    """Notification channels."""

    def visible_to(self, user: Any) -> Self:
        """Return the channels that the user may see."""
        keys = _keys(user)
        if keys is None:
            return self
        model: Any = self.model
        through_groups = model.groups.through.objects.order_by()
        through_repositories = model.repositories.through.objects.order_by()
        has_others = Q(pk__in=through_groups.exclude(group__in=user.groups.all()).values("channel")) | Q(
            pk__in=through_repositories.exclude(repository__in=keys).values("channel")
        )
        has_any = Q(pk__in=through_groups.values("channel")) | Q(
            pk__in=through_repositories.values("channel")
        )
        return self.filter(has_any, ~has_others, all_repositories=False)

    def connections(self) -> Q:
        """Return the condition on connections that one of these channels uses them."""
        return Q(pk__in=self.order_by().filter(secret__isnull=False).values("secret"))


class ChannelRowQuerySet(QuerySet[M]):
    """Deliveries: rows of a channel, about a repository or none."""

    def visible_to(self, user: Any) -> Self:
        """Return the deliveries of channels and repositories that the user may see."""
        keys = _keys(user)
        if keys is None:
            return self
        channels: Any = self.model._meta.get_field("channel").related_model
        return self.filter(
            Q(notification__repository__isnull=True) | Q(notification__repository__in=keys),
            channel__in=channels.objects.visible_to(user).order_by().values("pk"),
        )


def _keys(user: Any) -> QuerySet[Any, Any] | None:
    return _visible_keys(user) if _visible_keys else None
