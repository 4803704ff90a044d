"""Who may see which repositories, and with them their DAGs, errors, syncs and runs.

Superusers and whoever has the permission `view_all_repositories` see all of them, everybody else those of their groups.
What is seen can be done to is for Django's permissions per model, which hold besides.
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
CONNECTIONS = ("credential", "verify_keys", "webhook_secret")
"""The fields of a repository that name one."""
NAME_HAS_HISTORY = (
    "Versions and runs of an earlier repository of this name are kept, and are seen by whoever has the name. "
    "Choose another one, or have somebody add it who sees all repositories."
)
OTHER_SERVER = (
    "The credential would be handed to a server that it was not given for. Keep the server, choose no credential, or have "
    "somebody change it who may view connections."
)

M = TypeVar("M", bound=Model)


def sees_all(user: Any) -> bool:
    """Whether the user's groups do not matter."""
    return bool(user.has_perm(SEES_ALL))


def visible_repositories(user: Any) -> QuerySet[Repository]:
    """The repositories that the user may see."""
    return visible(Repository.objects.all(), user, "pk")


def visible(rows: QuerySet[M, Any], user: Any, repository: str = "repository") -> QuerySet[M, Any]:
    """Of rows whose field `repository` is a repository's key, those that the user may see."""
    if sees_all(user):
        return rows
    theirs = Repository.objects.filter(groups__in=user.groups.all()).order_by()
    return rows.filter(**{f"{repository}__in": theirs.values("pk")})


def visible_names(user: Any) -> QuerySet[Any] | None:
    """What the metadata store asks: names as a subquery, None for all; see `kiok.metadata.access`."""
    return None if sees_all(user) else visible_repositories(user).order_by().values("name")


def visible_log(entries: QuerySet[LogEntry], user: Any) -> QuerySet[LogEntry]:
    """Of the admin's log, what is not about repositories that the user does not see, or that are no more."""
    if sees_all(user):
        return entries
    theirs = visible_repositories(user).order_by().values_list(Cast("pk", TextField()))
    about_repositories = Q(content_type=ContentType.objects.get_for_model(Repository))
    return entries.filter(~about_repositories | Q(object_id__in=theirs))


def usable_connections(user: Any, field: str) -> QuerySet[Connection]:
    """The connections that the user may choose for a repository's `field` (`credential`, `verify_keys`, ...).

    Those that repositories it sees have there already. With the permission to view connections also those
    that no repository uses which it does not see: whoever names a credential reads what that opens.
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
    """Whether the user may call a repository so: versions and runs that a removed one left go to whoever has its name."""
    if sees_all(user) or visible_repositories(user).filter(name=name).exists():
        return True
    return not any(rows.objects.filter(repository=name).exists() for rows in (DagVersion, DagRun))


def may_be_sent(user: Any, credential_id: str | None, url: str) -> bool:
    """Whether the user may have a credential used with the server of this url, which is handed it.

    Who may not view connections: only with servers that repositories it sees have it used with already.
    """
    if not credential_id or user.has_perm(VIEW_CONNECTION):
        return True
    urls = (
        visible_repositories(user).order_by().filter(credential=credential_id).values_list("url", flat=True)
    )
    return _server_of(url) in {_server_of(known) for known in urls}


def _server_of(url: str) -> str:
    """Host and port; the url itself where it is none, which is refused elsewhere."""
    try:
        return parse_url(url, allow_protocols=ANY_PROTOCOL).authority.lower()
    except GitError:
        return url


def assignable_groups(user: Any) -> QuerySet[Group]:
    """The groups that the user may open a repository to: its own, or any for who sees all."""
    return Group.objects.all() if sees_all(user) else user.groups.all()
