"""The typed properties, as the settings hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from kiok.server.properties import Properties


def properties() -> Properties:
    """Every `kiok.*` property, read once at start (see `manage.py properties`)."""
    return settings.KIOK
