"""Stored connections, and the master key that they are under."""

from __future__ import annotations

from django.test import override_settings

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
