"""The search box of every page: repositories, DAGs, files and commits that match a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from gitsync.admin import git_links, states
from gitsync.admin.views import Views
from gitsync.models import Repository, SourceFile, SyncRun
from gitsync.repositories import links
from kiok.metadata.admin import display
from kiok.metadata.models import Dag

MAX_TEXT = 200  # characters of the text that are used
SHOWN = 10  # rows of each kind; the link to the list shows the others
_COMMIT = re.compile(r"[0-9a-fA-F]{4,40}")


class SearchViews(Views):
    """The page of results."""

    def urls(self) -> list[URLPattern]:
        return [path("search/", self.view(self.page), name="gitsync_search")]

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the first matches of each kind that the user may view. Takes a constant number of queries."""
        text = request.GET.get("q", "").strip()[:MAX_TEXT]
        groups = list(self._groups(request, text)) if text else []
        return self.framed(request, "admin/gitsync/search.html", "Search", searched_text=text, groups=groups)

    def _groups(self, request: HttpRequest, text: str) -> Iterable[dict[str, Any]]:
        yield from self._group(
            request,
            "Repositories",
            Repository,
            Q(name__icontains=text) | Q(url__icontains=text),
            _repository,
            text,
        )
        yield from self._group(
            request, "DAGs", Dag, Q(uid__icontains=text) | Q(name__icontains=text), _dag, text
        )
        yield from self._group(request, "Files", SourceFile, Q(path__icontains=text), _file, text)
        if _COMMIT.fullmatch(text):
            synced = Q(to_commit__startswith=text.lower())
            yield from self._group(request, "Syncs to this commit", SyncRun, synced, _sync, text)

    def _group(
        self,
        request: HttpRequest,
        title: str,
        model: type[Model],
        condition: Q,
        row_of: Callable[[Any], dict[str, Any]],
        text: str,
    ) -> Iterable[dict[str, Any]]:
        """Yield the title, rows and the URL of the list with all matches; nothing without a match."""
        admin: Any = self.admin.admin_site.get_model_admin(model)
        if not admin.has_view_permission(request):
            return
        ordering = admin.get_ordering(request) or model._meta.ordering or ("pk",)
        rows = admin.get_queryset(request).filter(condition).order_by(*ordering)
        if admin.list_select_related:
            rows = rows.select_related(*admin.list_select_related)
        found = list(rows[: SHOWN + 1])
        if not found:
            return
        if model in (SourceFile, SyncRun):
            links.load_senders(row.repository for row in found)
        listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield {
            "title": title,
            "rows": [row_of(row) for row in found[:SHOWN]],
            "more_url": f"{listed}?{urlencode({'q': text})}" if len(found) > SHOWN else "",
        }


def _repository(row: Repository) -> dict[str, Any]:
    return {
        "url": display.page_of("gitsync_repository", row.pk),
        "name": row.name,
        "detail": display.shortened(row.url),
        "state": states.repository_state(row),
    }


def _dag(row: Dag) -> dict[str, Any]:
    tone, word = (display.Tone.WARN, "Stale") if row.stale_since else (display.Tone.GOOD, "Current")
    return {
        "url": display.page_of("metadata_dag", row.uid),
        "name": row.uid,
        "detail": display.shortened(row.name),
        "state": display.badge(tone, word),
    }


def _file(row: SourceFile) -> dict[str, Any]:
    return {
        "url": display.page_of("gitsync_sourcefile", row.pk),
        "name": row.path,
        "detail": row.repository.name,
        "state": states.file_state(row.state),
    }


def _sync(row: SyncRun) -> dict[str, Any]:
    commit = git_links.commit(row.repository, row.to_commit)
    return {
        "url": display.page_of("gitsync_syncrun", row.pk),
        "name": f"Sync {row.pk} of {row.repository.name}",
        "detail": format_html("{} {}", commit, display.age(row.started_at)),
        "state": states.sync_state(row),
    }
