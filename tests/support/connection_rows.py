"""Stored connections, who may use them, and the master key that they are under."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.test import override_settings

from gitsync.models import Repository
from kiok.connections.models import Connection


def make(id: str = "git-main", **values: str) -> Connection:
    """A connection with these properties, stored."""
    made = Connection(id=id)
    made.set_properties(values)
    return made


def stored(id: str) -> Connection:
    return Connection.objects.get(pk=id)


def with_master_key(key: str | None) -> override_settings:
    return override_settings(KIOK_MASTER_KEY=lambda: key)


def make_repository(name: str, *teams: Group) -> Repository:
    """A repository of these teams."""
    row = Repository.objects.create(name=name, url=f"https://git.example.org/{name}.git")
    row.groups.set(teams)
    return row


def grant(id: str, *to: Group | Repository, everyone: bool = False) -> Connection:
    """A connection that these teams and repositories may use, in addition to those that already may."""
    row, _ = Connection.objects.get_or_create(id=id)
    for one in to:
        if isinstance(one, Group):
            row.usable_by_groups.add(one)
        else:
            one.granted_connections.add(row)
    Connection.objects.filter(pk=id).update(usable_by_all=everyone or row.usable_by_all)
    return row
