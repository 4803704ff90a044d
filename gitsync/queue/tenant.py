"""Whose a repository is, and where: what turns go by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.db.models import Min

from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository


@dataclass(frozen=True, slots=True)
class Place:
    """`team` is the first of the repository's groups, or else the owner in its url; `host` "" where there is none."""

    team: str
    host: str


@lru_cache(maxsize=4096)
def place_of(url: str, group: int | None) -> Place:
    """The place of a repository with this url and, as the key of its first group, None without one."""
    try:
        parsed = parse_url(url, allow_protocols=ANY_PROTOCOL)
    except GitError:
        return Place(f"group {group}" if group else "", "")
    if group:
        return Place(f"group {group}", parsed.host)
    owner, slash, _ = parsed.path.strip("/").partition("/")
    return Place(f"{parsed.host}/{owner if slash else ''}"[:600], parsed.host)


def name_and_place(repository_id: int) -> tuple[str, Place] | None:
    """Return the name of a repository and its place; None where it is gone."""
    row = (
        Repository.objects.order_by()
        .filter(pk=repository_id)
        .annotate(group=Min("groups"))
        .values_list("name", "url", "group")
        .first()
    )
    return (row[0], place_of(*row[1:])) if row else None
