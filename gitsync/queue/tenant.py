"""Tenant of a repository: the key by which the queue is fair, and the git host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.db.models import Min

from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository


@dataclass(frozen=True, slots=True)
class Tenant:
    """Tenant: `tenant` is the repository's first group, or else the owner in its url; `host` is "" if there is none."""

    tenant: str
    host: str


@lru_cache(maxsize=4096)
def tenant_of(url: str, group: int | None) -> Tenant:
    """Return the tenant of a repository with this url. `group` is the key of its first group, None without one."""
    try:
        parsed = parse_url(url, allow_protocols=ANY_PROTOCOL)
    except GitError:
        return Tenant(f"group {group}" if group else "", "")
    if group:
        return Tenant(f"group {group}", parsed.host)
    owner, slash, _ = parsed.path.strip("/").partition("/")
    return Tenant(f"{parsed.host}/{owner if slash else ''}"[:600], parsed.host)


def name_and_tenant(repository_id: int) -> tuple[str, Tenant] | None:
    """Return the name and the tenant of a repository; None if it was deleted."""
    row = (
        Repository.objects.order_by()
        .filter(pk=repository_id)
        .annotate(group=Min("groups"))
        .values_list("name", "url", "group")
        .first()
    )
    return (row[0], tenant_of(*row[1:])) if row else None
