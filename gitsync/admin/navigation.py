"""The navigation at the top of every admin page: areas by what people do, and the lists and pages of each.

An area is shown if the user may view one of its pages, and links to the first of these. Lists that no area names are in
the last one, so that a new model can always be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True)
class AdminPage:
    """A page that is not a list of rows: its name, URL name, and the permission to view it."""

    name: str
    url_name: str
    permission: str


@dataclass(frozen=True)
class PageLink:
    """A link of the navigation. `is_current` if the requested page is this one or below it."""

    name: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Area:
    """An area with its links. The area itself links to the first one."""

    name: str
    links: tuple[PageLink, ...]

    @property
    def url(self) -> str:
        return self.links[0].url

    @property
    def is_current(self) -> bool:
        return any(link.is_current for link in self.links)


# Each area with its pages and its models, `app.model`.
AREAS: tuple[tuple[str, tuple[AdminPage | str, ...]], ...] = (
    ("Overview", (AdminPage("Overview", "admin:gitsync_overview", "gitsync.view_repository"),)),
    ("DAGs", ("metadata.dag", "metadata.dagversion")),
    ("Runs", ("metadata.dagrun",)),
    ("Repositories", ("gitsync.repository", "gitsync.syncrun", "gitsync.sourcefile", "gitsync.delivery")),
    ("Errors", (AdminPage("Errors", "admin:gitsync_errors", "gitsync.view_sourcefile"),)),
    (
        "Settings",
        (
            *("connections.connection", "notifications.notificationchannel", "gitsync.apitoken"),
            *("auth.user", "auth.group"),
            AdminPage("System", "admin:gitsync_system", "gitsync.view_repository"),
            AdminPage("API", "api-1:docs", "gitsync.view_repository"),
            *("django_q.ormq", "django_q.failure", "django_q.success", "django_q.schedule"),
        ),
    ),
)


def areas(request: HttpRequest, apps: Iterable[Mapping[str, Any]]) -> list[Area]:
    """Return the areas that the user may view. `apps` is the site's `get_app_list`."""
    lists = {
        f"{app['app_label']}.{model['object_name'].lower()}": (str(model["name"]), model["admin_url"])
        for app in apps
        for model in app["models"]
        if model["admin_url"]
    }
    named = {entry for _, entries in AREAS for entry in entries if isinstance(entry, str)}
    last, _ = AREAS[-1]
    rest = tuple(label for label in lists if label not in named)
    found = (
        (name, tuple(_visible(request, (*entries, *rest) if name == last else entries, lists)))
        for name, entries in AREAS
    )
    return [Area(name, _links(request.path, pages)) for name, pages in found if pages]


def _visible(
    request: HttpRequest, entries: Iterable[AdminPage | str], lists: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield the name and URL of each entry that the user may view."""
    for entry in entries:
        if isinstance(entry, AdminPage):
            if request.user.has_perm(entry.permission):
                yield entry.name, reverse(entry.url_name)
        elif entry in lists:
            yield lists[entry]


def _links(path: str, pages: Iterable[tuple[str, str]]) -> tuple[PageLink, ...]:
    return tuple(PageLink(name, url, path.startswith(url)) for name, url in pages)
