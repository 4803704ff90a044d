"""Access to the typed properties of the settings."""

from __future__ import annotations

from django.conf import settings

from kiok.properties.values import Properties


def properties() -> Properties:
    """Return all `kiok.*` properties, which are read once at start (see `manage.py properties`)."""
    return settings.KIOK
