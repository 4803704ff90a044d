"""The errors page: every failed file of all repositories, and the DAGs that still serve in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from gitsync.admin import git_links, problems
from gitsync.admin.views import Views
from gitsync.models import FileState, Repository, SourceFile
from gitsync.repositories import links
from gitsync.repositories.failing_files import SHOWN_PROBLEMS, FailingFileFilter, failing_files, served
from kiok.metadata.admin import display

MAY_VIEW = "gitsync.view_sourcefile"
PAGE_SIZE = 25
MAX_SEARCH = 200


class ErrorViews(Views):
    """The errors page."""

    def urls(self) -> list[URLPattern]:
        return [path("errors/", self.view(self.page), name="gitsync_errors")]

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show a page of the failed files, newest first. Takes a constant number of queries."""
        self.require_view(request)
        wanted = _wanted(request)
        shown = Paginator(failing_files(request.user, wanted), PAGE_SIZE).get_page(request.GET.get("page"))
        files = list(shown)
        may_view_dags = request.user.has_perm("metadata.view_dag")
        return self.framed(
            request,
            "admin/gitsync/errors.html",
            "Errors",
            wanted=wanted,
            query=_query(wanted),
            repositories=_choices(request.user, wanted.repository),
            page=shown,
            files=_cards(files, served(files) if may_view_dags else {}),
            may_view_repositories=request.user.has_perm("gitsync.view_repository"),
        )


def page_of_errors(repository: str) -> str:
    """Return the URL of one repository's errors."""
    return f"{reverse('admin:gitsync_errors')}?{urlencode({'repository': repository})}"


def _wanted(request: HttpRequest) -> FailingFileFilter:
    def given(name: str) -> str:
        return request.GET.get(name, "").strip()[:MAX_SEARCH]

    return FailingFileFilter(given("repository"), given("q"))


def _query(wanted: FailingFileFilter) -> str:
    """Return the filters as a URL query string."""
    given = (("repository", wanted.repository), ("q", wanted.text))
    return urlencode({name: value for name, value in given if value})


def _choices(user: Any, chosen: str) -> list[tuple[str, int]]:
    """Return the repositories with failed files and their numbers, always including the chosen one."""
    failing = SourceFile.objects.filter(state=FileState.FAILED).visible_to(user).order_by("repository__name")
    counted: dict[str, int] = dict(failing.values_list("repository__name").annotate(Count("pk")))
    if chosen:
        counted.setdefault(chosen, 0)
    return sorted(counted.items())


def _cards(
    files: Iterable[Mapping[str, Any]], served: Mapping[tuple[str, str], list[Any]]
) -> list[dict[str, Any]]:
    """Return the template's variables for each file."""
    rows = list(files)
    repositories = Repository.objects.only("pk", "url").in_bulk({row["repository_id"] for row in rows})
    links.load_senders(repositories.values())
    return [
        _card(row, repositories[row["repository_id"]], served.get((row["repository_name"], row["path"]), []))
        for row in rows
        if row["repository_id"] in repositories
    ]


def _card(file: Mapping[str, Any], repository: Repository, served: list[Any]) -> dict[str, Any]:
    url_of = problems.seen_at(repository, file["commit_sha"])
    return {
        "pk": file["pk"],
        "repository": file["repository_name"],
        "repository_url": display.page_of("gitsync_repository", file["repository_id"]),
        "path": file["path"],
        "url": display.page_of("gitsync_sourcefile", file["pk"]),
        "first_seen": display.age(file["first_failed_at"]),
        "last_seen": display.age(file["last_seen"]),
        "retry": display.age(file["retry_at"]) if file["retry_at"] else "",
        "commit": git_links.commit(repository, file["commit_sha"]),
        "problems": problems.rows_of(file["path"], file["problems"], url_of),
        "left_out": max(0, (file["n_problems"] or 0) - SHOWN_PROBLEMS),
        "served": [
            {
                "uid": dag["uid"],
                "url": display.page_of("metadata_dag", dag["uid"]),
                "commit": git_links.commit(repository, dag["commit_sha"]),
            }
            for dag in served
        ],
        "served_left_out": served[0]["number"] - len(served) if served else 0,
    }
