"""Access to the typed properties of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from kiok.server.properties import Properties


def properties() -> Properties:
    """Return all `kiok.*` properties, which are read once at start (see `manage.py properties`)."""
    return settings.KIOK
