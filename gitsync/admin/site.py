"""The admin site, with Git Sync pages in the index that are not lists of rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from types import ModuleType
from typing import Any

from django.contrib.admin import AdminSite, autodiscover
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from gitsync.access import visible_log

# (name, URL name, permission to view it) of each page. FRONT comes before the lists, PAGES after them.
FRONT = ("Overview", "admin:gitsync_overview", "gitsync.view_repository")
PAGES = (
    ("Errors", "admin:gitsync_errors", "gitsync.view_sourcefile"),
    ("System", "admin:gitsync_system", "gitsync.view_repository"),
    ("API", "api-1:docs", "gitsync.view_repository"),
)


def discover_pages() -> ModuleType:
    """Import the admin pages of every app, and return the module with those of Git Sync."""
    autodiscover()
    from gitsync.admin import pages

    return pages


class Site(AdminSite):
    """Django's admin site with these pages among those of Git Sync, and the overview as its app index."""

    index_template = "admin/gitsync/index.html"

    def get_urls(self) -> list[Any]:
        """Return the URLs. Import the admin modules first, since nothing else imports them (`gitsync.apps`)."""
        return [*discover_pages().urls(self), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the state of the repositories in one line, then the lists."""
        from gitsync.admin.overview_query import by_state, words  # needs the loaded apps

        stands = words(by_state(request.user)) if request.user.has_perm(FRONT[2]) else ""
        return super().index(request, {**(extra_context or {}), "stands": stands})

    def app_index(  # type: ignore[override]  # the stubs know templates only
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect the index of Git Sync to the overview if the user may view it."""
        if app_label == "gitsync" and request.user.has_perm(FRONT[2]):
            return HttpResponseRedirect(reverse(FRONT[1]))
        return super().app_index(request, app_label, extra_context)

    def get_log_entries(self, request: HttpRequest) -> Any:
        """Return the entries of "Recent actions", without repositories that the user can no longer see."""
        return visible_log(super().get_log_entries(request), request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap the view as Django does, and answer 400 to a NUL in the URL or in the selected rows.

        PostgreSQL text cannot hold NUL. Form fields reject it by themselves.
        """
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            values = (value for _, given in request.GET.lists() for value in given)
            if any("\x00" in text for text in (request.path_info, *request.GET, *values)):
                raise BadRequest("the URL contains a NUL character")
            if any("\x00" in text for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
                raise BadRequest("the key of a selected row contains a NUL character")
            answer: HttpResponseBase = inner(request, *args, **kwargs)
            return answer

        return checked

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the entries of the index and the sidebar, by app, Git Sync first."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "gitsync":
                app["models"] = [*_entries(request, (FRONT,)), *app["models"], *_entries(request, PAGES)]
        return sorted(apps, key=lambda app: app["app_label"] != "gitsync")


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
