"""The admin's site: Git Sync has pages in the index that are no lists of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse

from gitsync.access import visible_log

FRONT = ("Overview", "admin:gitsync_overview", "gitsync.view_repository")
PAGES = (
    ("Errors", "admin:gitsync_errors", "gitsync.view_sourcefile"),
    ("System", "admin:gitsync_system", "gitsync.view_repository"),
)
"""(name, url, permission to view it) of each; the one in front comes before the lists, the others after."""


class Site(AdminSite):
    """Django's own, with these pages among those of Git Sync."""

    def get_log_entries(self, request: HttpRequest) -> Any:
        """What "Recent actions" are taken from: a group that was left takes its repositories' names along."""
        return visible_log(super().get_log_entries(request), request.user)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The index and the sidebar, by app."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "gitsync":
                app["models"] = [*_entries(request, (FRONT,)), *app["models"], *_entries(request, PAGES)]
        return apps


def _entries(request: HttpRequest, pages: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [_entry(name, url) for name, url, may_view in pages if request.user.has_perm(may_view)]


def _entry(name: str, url: str) -> dict[str, Any]:
    return {
        "name": name,
        "object_name": name,
        "admin_url": reverse(url),
        "add_url": None,
        "view_only": True,
        "perms": {"view": True},
    }
