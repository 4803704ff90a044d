"""Source files in the admin: the state of each, and its problems."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from gitsync.admin import git_links, problems, states
from gitsync.admin.repository_filter import FormatFilter, RepositoryFilter
from gitsync.admin.row_search import RepositoryRowSearch
from gitsync.models import FileState, SourceFile
from gitsync.repositories import links
from gitsync.repositories.queries import located_files
from kiok.metadata.admin import display, list_cells
from kiok.metadata.admin.read_only import ReadOnlyAdmin


@admin.register(SourceFile)
class SourceFileAdmin(RepositoryRowSearch, ReadOnlyAdmin):
    list_display = ("file", "state_badge", "problem", "failing", "commit")
    list_filter = (RepositoryFilter, "state", FormatFilter, "last_failed_at")
    list_select_related = ("repository",)
    search_fields = ("path__icontains",)
    fields = (
        *("repository_link", "path", "kind", "state_badge", "dags", "all_problems"),
        *(
            "first_failed_at",
            "last_failed_at",
            "retry",
            "blob_sha",
            "seen_at",
            "image_digest",
            "compile_time",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return located_files(rows.visible_to(request.user))

    def subtitle(self, obj: SourceFile) -> str:
        return f"{obj.path} in {obj.repository.name}"

    @admin.display(description="file", ordering="path")
    def file(self, file: SourceFile) -> str:
        name = file.path.rpartition("/")[2]
        place = list_cells.path_line(file.repository.name, file.path)
        return list_cells.two_lines(name, place, f"{file.repository.name}/{file.path}")

    @admin.display(description="repository")
    def repository_link(self, file: SourceFile) -> str:
        return display.link(display.page_of("gitsync_repository", file.repository_id), file.repository.name)

    @admin.display(description="state", ordering="state")
    def state_badge(self, file: SourceFile) -> str:
        return states.file_state(file.state)

    @admin.display(description="problem, or DAGs")
    def problem(self, file: Any) -> str:
        if file.state == FileState.COMPILED:
            return f"{file.dags} DAG{'s' if file.dags != 1 else ''}"
        return problems.first_problem(file, with_path=False)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        links.load_senders(file.repository for file in shown.result_list)
        return shown

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        file = super().get_object(request, object_id, from_field)
        if file is not None:
            links.load_senders([file.repository])
        return file

    @admin.display(description="problems, or the reason")
    def all_problems(self, file: SourceFile) -> str:
        return problems.all_problems(file)

    @admin.display(description="failing since", ordering="first_failed_at")
    def failing(self, file: SourceFile) -> str:
        return display.age(file.first_failed_at)

    @admin.display(description="next retry")
    def retry(self, file: SourceFile) -> str:
        if file.retry_at is None:
            return display.NOTHING
        failures = f"after {file.attempts} consecutive failure{'s' if file.attempts != 1 else ''}"
        return format_html("{}, {}", display.age(file.retry_at), failures)

    @admin.display(description="commit", ordering="commit_sha")
    def commit(self, file: SourceFile) -> str:
        return git_links.commit(file.repository, file.commit_sha)

    @admin.display(description="seen at commit")
    def seen_at(self, file: SourceFile) -> str:
        return git_links.whole_commit(file.repository, file.commit_sha)

    @admin.display(description="compile time")
    def compile_time(self, file: SourceFile) -> str:
        return display.seconds(file.seconds)
