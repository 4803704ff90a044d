"""Versions in the admin: what a DAG was, also of DAGs that are gone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from kiok.metadata import access
from kiok.metadata.admin import cells
from kiok.metadata.admin.read_only import ReadOnlyAdmin
from kiok.metadata.models import DagVersion


@admin.register(DagVersion)
class DagVersionAdmin(ReadOnlyAdmin):
    list_display = ("uid", "version", "commit", "created")
    search_fields = ("uid", "commit_sha")
    fields = ("uid", "version", "commit_sha", "created_at", "spec_hash", "spec_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return access.visible(super().get_queryset(request), request.user).defer("spec", "source")

    @admin.display(description="commit", ordering="commit_sha")
    def commit(self, version: DagVersion) -> str:
        return cells.commit(version.commit_sha)

    @admin.display(description="created", ordering="created_at")
    def created(self, version: DagVersion) -> str:
        return cells.age(version.created_at)

    @admin.display(description="spec")
    def spec_text(self, version: DagVersion) -> str:
        return cells.preformatted(cells.spec_text(version.spec))
