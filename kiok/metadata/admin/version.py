"""DAG versions in the admin, including those of removed DAGs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from kiok.metadata.admin import comparison, definition, display, list_cells, provenance
from kiok.metadata.admin.filters import RepositoryNameFilter
from kiok.metadata.admin.tabs import TabbedAdmin
from kiok.metadata.models import DagVersion

TABS = {"changes": "Changes", "graph": "Graph", "tasks": "Tasks", "source": "Source", "details": "Details"}


@admin.register(DagVersion)
class DagVersionAdmin(TabbedAdmin):
    list_display = ("dag_cell", "version", "commit", "created")
    list_filter = (RepositoryNameFilter, "created_at")
    sortable_by = ("dag_cell", "commit", "created")
    search_fields = ("uid", "commit_sha")
    show_full_result_count = False
    fields = ("dag", "version", "source_link", "whole_commit", "created_at", "spec_hash")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        visible: QuerySet[Any] = rows.visible_to(request.user).defer("spec", "source")
        return visible

    @admin.display(description="DAG", ordering="uid")
    def dag_cell(self, version: DagVersion) -> str:
        return list_cells.dag_cell_of_uid(version.uid)

    @admin.display(description="commit", ordering="commit_sha")
    def commit(self, version: DagVersion) -> str:
        about = _about_commit(version)
        commit = display.commit(version.commit_sha)
        return list_cells.two_lines(commit, about) if about else commit

    @admin.display(description="created", ordering="created_at")
    def created(self, version: DagVersion) -> str:
        return display.age(version.created_at)

    @admin.display(description="DAG")
    def dag(self, version: DagVersion) -> str:
        return display.link(display.page_of("metadata_dag", version.uid), version.uid)

    @admin.display(description="commit")
    def whole_commit(self, version: DagVersion) -> str:
        commit = provenance.whole_commit(version.repository, version.commit_sha)
        return display.with_commit_facts(commit, _about_commit(version))

    @admin.display(description="source path")
    def source_link(self, version: DagVersion) -> str:
        path = _path(version.uid)
        return provenance.source(version.repository, version.commit_sha, path) if path else display.NOTHING

    def title(self, obj: DagVersion) -> str:
        return f"Version {obj.version}"

    def subtitle(self, obj: DagVersion) -> str:
        return obj.uid

    def tab_names(self, user: Any) -> dict[str, str]:  # noqa: ARG002
        return TABS

    def tab_context(self, request: HttpRequest, obj: DagVersion, tab: str) -> dict[str, Any]:
        if tab == "changes":
            return _changes(obj, request.user)
        return definition.part(tab, obj.spec, obj.source, _path(obj.uid))

    def summary(self, version: DagVersion) -> list[tuple[str, str]]:
        return [
            ("DAG", self.dag(version)),
            ("Created", display.age(version.created_at)),
            ("Commit", self.whole_commit(version)),
        ]

    class Media:
        css = {"all": ["kiok/dag.css"]}


def _about_commit(version: DagVersion) -> SafeString:
    return display.about_commit(version.commit_subject, version.commit_author, version.commit_time)


def _path(uid: str) -> str:
    """Return the path in a uid `repository/path::dag`."""
    return uid.partition("/")[2].partition("::")[0]


def _changes(version: DagVersion, user: Any) -> dict[str, Any]:
    """Return the previous version, and the changes since then."""
    earlier = DagVersion.objects.filter(uid=version.uid, version__lt=version.version).visible_to(user)
    before = earlier.order_by("-version").first()
    if before is None:
        return {"before": None}
    return {
        "before": before.version,
        "before_url": display.page_of("metadata_dagversion", before.pk),
        "compared": comparison.between(before, version),
    }
