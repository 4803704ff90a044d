"""Visibility of repositories, and with them of their DAGs, errors, syncs and runs.

Superusers and users with the permission `view_all_repositories` see all repositories, other users those of their groups.
What a user may do with a visible repository is decided by Django's model permissions.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository
from kiok.connections.models import Connection
from kiok.metadata.models import DagRun, DagVersion

SEES_ALL = "gitsync.view_all_repositories"
VIEW_CONNECTION = "connections.view_connection"
CONNECTIONS = ("credential", "verify_keys", "webhook_secret")  # fields of a repository that name a connection
NAME_HAS_HISTORY = (
    "Versions and runs of an earlier repository with this name are kept, and would become visible to users of the new one. "
    "Choose another name, or ask a user who can see all repositories to add it."
)
OTHER_SERVER = (
    "The credential would be sent to a server that it was not entered for. Keep the server, choose no credential, or ask a "
    "user with permission to view connections to make this change."
)

M = TypeVar("M", bound=Model)


def sees_all(user: Any) -> bool:
    """Return whether the user sees all repositories, regardless of groups."""
    return bool(user.has_perm(SEES_ALL))


def visible_repositories(user: Any) -> QuerySet[Repository]:
    """Return the repositories that the user may see."""
    return visible(Repository.objects.all(), user, "pk")


def visible(rows: QuerySet[M, Any], user: Any, repository: str = "repository") -> QuerySet[M, Any]:
    """Return the rows that the user may see; their field `repository` is the key of a repository."""
    if sees_all(user):
        return rows
    theirs = Repository.objects.filter(groups__in=user.groups.all()).order_by()
    return rows.filter(**{f"{repository}__in": theirs.values("pk")})


def visible_names(user: Any) -> QuerySet[Any] | None:
    """Return the visible names as a subquery for the metadata store, None for all; see `kiok.metadata.access`."""
    return None if sees_all(user) else visible_repositories(user).order_by().values("name")


def visible_log(entries: QuerySet[LogEntry], user: Any) -> QuerySet[LogEntry]:
    """Return the admin's log without the entries on repositories that the user cannot see or that were deleted."""
    if sees_all(user):
        return entries
    theirs = visible_repositories(user).order_by().values_list(Cast("pk", TextField()))
    about_repositories = Q(content_type=ContentType.objects.get_for_model(Repository))
    return entries.filter(~about_repositories | Q(object_id__in=theirs))


def usable_connections(user: Any, field: str) -> QuerySet[Connection]:
    """Return the connections that the user may choose for a repository's `field` (`credential`, `verify_keys`, ...).

    These are the connections that visible repositories already use in that field. With the permission to view
    connections, also those that no hidden repository uses: a user who can name a credential can read what it opens.
    """
    if not user.has_perm(VIEW_CONNECTION):
        return Connection.objects.filter(_used_by(visible_repositories(user), field))
    if sees_all(user):
        return Connection.objects.all()
    hidden = Repository.objects.exclude(pk__in=visible_repositories(user).values("pk"))
    elsewhere = _used_by(hidden, *CONNECTIONS)
    return Connection.objects.filter(~elsewhere | _used_by(visible_repositories(user), field))


def _used_by(repositories: QuerySet[Repository], *fields: str) -> Q:
    rows = repositories.order_by()
    used = [Q(pk__in=rows.filter(**{f"{field}__isnull": False}).values(field)) for field in fields]
    return reduce(or_, used)


def may_take_name(user: Any, name: str) -> bool:
    """Return whether the user may give a repository this name, which exposes versions and runs of a deleted one."""
    if sees_all(user) or visible_repositories(user).filter(name=name).exists():
        return True
    return not any(rows.objects.filter(repository=name).exists() for rows in (DagVersion, DagRun))


def may_be_sent(user: Any, credential_id: str | None, url: str) -> bool:
    """Return whether the user may have a credential sent to the server of this url.

    Without the permission to view connections, only servers for which a visible repository already uses the credential
    are allowed.
    """
    if not credential_id or user.has_perm(VIEW_CONNECTION):
        return True
    urls = (
        visible_repositories(user).order_by().filter(credential=credential_id).values_list("url", flat=True)
    )
    return _server_of(url) in {_server_of(known) for known in urls}


def _server_of(url: str) -> str:
    """Return host and port; the text itself if it is no valid url, which is refused elsewhere."""
    try:
        return parse_url(url, allow_protocols=ANY_PROTOCOL).authority.lower()
    except GitError:
        return url


def assignable_groups(user: Any) -> QuerySet[Group]:
    """Return the groups that the user may assign to a repository: their own, or all for a user who sees all."""
    return Group.objects.all() if sees_all(user) else user.groups.all()
