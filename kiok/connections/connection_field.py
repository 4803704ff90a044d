"""The foreign key to a connection."""

from __future__ import annotations

from django.db import models

from kiok.connections.models import Connection


def connection_field(
    verbose_name: str, help_text: str, *, related_name: str | None = None
) -> models.ForeignKey[Connection | None, Connection | None]:
    """Return an optional foreign key to a connection. A connection that is in use cannot be deleted."""
    return models.ForeignKey(
        Connection,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name=related_name,
        verbose_name=verbose_name,
        help_text=help_text,
    )
