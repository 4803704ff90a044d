"""Names and rows that a user may choose, beyond the repositories that the user sees (`gitsync.models.visibility`)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet

from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository
from gitsync.models.role import IS_TEAM
from gitsync.models.visibility import sees_all
from kiok.connections.models import Connection
from kiok.metadata.models import DagRun, DagVersion
from kiok.notifications.models import NotificationChannel

VIEW_CONNECTION = "connections.view_connection"
MANAGES_CONNECTIONS = (VIEW_CONNECTION, "connections.change_connection")
MAY_SYNC = ("gitsync.sync_repository", "gitsync.change_repository")  # either of them
CONNECTIONS = ("credential", "verify_keys", "webhook_secret")  # fields of a repository that name a connection
NAME_HAS_HISTORY = (
    "Versions and runs of an earlier repository with this name are kept, and would become visible to users of the new one. "
    "Choose another name, or ask a user who can see all repositories to add it."
)
OTHER_SERVER = (
    "The credential would be sent to a server that it was not entered for. Keep the server, choose no credential, or ask a "
    "user with permission to change connections to make this change, or to set the connection's 'hosts'."
)


def may_sync(user: Any) -> bool:
    """Return whether the user may sync, dry-run and test the repositories that the user sees."""
    return any(user.has_perm(permission) for permission in MAY_SYNC)


def visible_names(user: Any) -> QuerySet[Any] | None:
    """Return the visible names as a subquery for the metadata store, None for all; see `kiok.metadata.visibility`."""
    return None if sees_all(user) else Repository.objects.visible_to(user).order_by().values("name")


def visible_keys(user: Any) -> QuerySet[Any, Any] | None:
    """Return the visible keys as a subquery, None for all; see `kiok.notifications.visibility`."""
    return None if sees_all(user) else Repository.objects.visible_to(user).order_by().values("pk")


def usable_connections(user: Any, field: str) -> QuerySet[Connection]:
    """Return the connections that the user may choose for a repository's `field` (`credential`, `verify_keys`, ...).

    These are the connections that visible repositories already use in that field. With the permission to view
    connections, also those that no hidden repository uses: a user who can name a credential can read what it opens.
    """
    if not user.has_perm(VIEW_CONNECTION):
        return Connection.objects.filter(Repository.objects.visible_to(user).connections_in(field))
    if sees_all(user):
        return Connection.objects.all()
    visible = Repository.objects.visible_to(user)
    hidden = Repository.objects.exclude(pk__in=visible.values("pk"))
    return Connection.objects.filter(~hidden.connections_in(*CONNECTIONS) | visible.connections_in(field))


def usable_channel_connections(user: Any, channel: NotificationChannel) -> QuerySet[Connection]:
    """Return the connections that the user may choose for a channel; their secrets are sent to its server.

    These are the current connection and, with the permission to view connections, those that are not used by a repository
    or channel which is hidden from the user.
    """
    set_now = Q(pk=channel.secret_id) if channel.secret_id else Q(pk__in=())
    if not user.has_perm(VIEW_CONNECTION):
        return Connection.objects.filter(set_now)
    if sees_all(user):
        return Connection.objects.all()
    hidden = Repository.objects.exclude(pk__in=Repository.objects.visible_to(user).values("pk"))
    channels = NotificationChannel.objects
    hidden_channels = channels.exclude(pk__in=channels.visible_to(user).values("pk"))
    elsewhere = hidden.connections_in(*CONNECTIONS) | hidden_channels.connections()
    return Connection.objects.filter(set_now | ~elsewhere)


def granted_connections(repository: str) -> Q:
    """Return the condition on connections that a grant reaches the repository: to itself, or to one of its teams.

    A repository that is deleted takes the grants to it along, so a later one with its name has none of them. See
    `kiok.connections.usage`.
    """
    to_repository: Any = Repository.granted_connections.through.objects.filter(repository__name=repository)
    to_group: Any = Connection.usable_by_groups.through.objects.filter(group__repositories__name=repository)
    return Q(pk__in=to_repository.values("connection")) | Q(pk__in=to_group.values("connection"))


def may_take_name(user: Any, name: str) -> bool:
    """Return whether the user may give a repository this name, which exposes versions and runs of a deleted one."""
    if sees_all(user) or Repository.objects.visible_to(user).filter(name=name).exists():
        return True
    return not any(rows.objects.filter(repository=name).exists() for rows in (DagVersion, DagRun))


def may_be_sent(user: Any, credential_id: str | None, url: str) -> bool:
    """Return whether the user may have a credential sent to the server of this url.

    A user who may view and change connections may send it anywhere: they can set its `hosts`. Other users only to
    servers for which a visible repository already uses it. With the permission to view connections, also if it has
    `hosts`, which are checked whenever it is used.
    """
    if not credential_id or user.has_perms(MANAGES_CONNECTIONS):
        return True
    if user.has_perm(VIEW_CONNECTION) and _has_hosts(credential_id):
        return True
    urls = (
        Repository.objects.visible_to(user)
        .order_by()
        .filter(credential=credential_id)
        .values_list("url", flat=True)
    )
    return _server_of(url) in {_server_of(known) for known in urls}


def _has_hosts(credential_id: str) -> bool:
    """Return whether the connection is limited to hosts, without decrypting it."""
    connection = Connection.objects.filter(pk=credential_id).first()
    return connection is not None and "hosts" in connection.property_names()


def _server_of(url: str) -> str:
    """Return host and port; the text itself if it is no valid url, which is refused elsewhere."""
    try:
        return parse_url(url, allow_protocols=ANY_PROTOCOL).authority.lower()
    except GitError:
        return url


def assignable_groups(user: Any) -> QuerySet[Group]:
    """Return the teams that the user may assign to a repository: their own, or all for a user who sees all."""
    groups: QuerySet[Group] = Group.objects.all() if sees_all(user) else user.groups.all()
    return groups.filter(IS_TEAM)
