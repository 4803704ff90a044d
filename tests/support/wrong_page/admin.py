"""A list with a column that its rows do not have."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.contrib.sessions.models import Session


@admin.register(Session)
class WrongPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    list_display: ClassVar = ("session_key", "colour")
