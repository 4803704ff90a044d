"""The admin site: its navigation, its front page and its search."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from django.contrib.admin import AdminSite, autodiscover
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect

from gitsync.admin import navigation

SHOW_ALL = "all"  # Django's parameter without a value: all rows on one page


def discover_pages() -> ModuleType:
    """Import the admin pages of every app, and return the module with those of Git Sync."""
    autodiscover()
    from gitsync.admin import pages

    return pages


class Site(AdminSite):
    """Django's admin site with areas at the top instead of a sidebar, and the overview as its front page."""

    enable_nav_sidebar = False
    index_template = "admin/gitsync/nothing.html"

    def get_urls(self) -> list[Any]:
        """Return the URLs. Import the admin modules first, since nothing else imports them (`gitsync.apps`)."""
        return [*discover_pages().urls(self), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the variables of every page, among them `areas`, the navigation, and the tabs of a repository's list."""
        from gitsync.admin import repository_tabs

        context = super().each_context(request)
        return {
            **context,
            "areas": navigation.areas(request, context["available_apps"]),
            **repository_tabs.of_list(request),
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]  # the stubs know templates only
        """Redirect to the first area, the overview, or say that the user may view nothing."""
        shown = navigation.areas(request, self.get_app_list(request))
        return HttpResponseRedirect(shown[0].url) if shown else super().index(request, extra_context)

    def app_index(  # type: ignore[override]  # the stubs know templates only
        self,
        request: HttpRequest,
        app_label: str,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  Django's signature
    ) -> HttpResponse:
        """Redirect to the first page of the app in the navigation. Raise Http404 if the user may view none."""
        of_app = {
            model["admin_url"] for app in self.get_app_list(request, app_label) for model in app["models"]
        }
        for area in navigation.areas(request, self.get_app_list(request)):
            for link in area.links:
                if link.url in of_app:
                    return HttpResponseRedirect(link.url)
        raise Http404("the app has no page that this user may view")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap the view as Django does, answer 400 to a NUL in the URL or in the selected rows, and drop empty filters.

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
            if empty := _empty_fields(request):
                given = request.GET.copy()
                for name in empty:
                    del given[name]
                request.GET = given  # type: ignore[assignment]  # only what is sent is immutable
            answer: HttpResponseBase = inner(request, *args, **kwargs)
            return answer

        return checked


def _empty_fields(request: HttpRequest) -> list[str]:
    """Return the names of fields that the form of a list sent empty: as filters, they would match only empty values."""
    match = request.resolver_match
    if match is None or not (match.url_name or "").endswith("_changelist"):
        return []
    return [name for name, value in request.GET.items() if not value and name != SHOW_ALL]
