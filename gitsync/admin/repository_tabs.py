"""The tabs of a repository: its page, the lists of its DAGs, files and syncs, and its settings.

The lists are the ordinary ones, filtered by the repository. They show the tabs as long as they have this filter.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from gitsync.models import Repository
from kiok.metadata.admin import display
from kiok.metadata.admin.tabs import PARAMETER, Tab

STATUS, SETTINGS = "status", "settings"
BY_KEY, BY_NAME = "repository__id__exact", "repository"

# The lists that are tabs: URL name, tab, and necessary permission.
_LISTS = {
    "metadata_dag_changelist": ("DAGs", "metadata.view_dag"),
    "gitsync_sourcefile_changelist": ("Files", "gitsync.view_sourcefile"),
    "gitsync_syncrun_changelist": ("Syncs", "gitsync.view_syncrun"),
}


def chosen(request: HttpRequest) -> str:
    """Return the tab of a repository's page: the settings if they were requested or sent, else the status."""
    is_settings = request.method == "POST" or request.GET.get(PARAMETER) == SETTINGS
    return SETTINGS if is_settings else STATUS


def tabs(user: Any, repository: Repository, current: str) -> list[Tab]:
    """Return the tabs that the user may see. `current`: `STATUS`, `SETTINGS`, or the URL name of a list."""
    page = display.page_of("gitsync_repository", repository.pk)
    lists = [
        Tab(name, list_of(url_name, repository), url_name == current)
        for url_name, (name, permission) in _LISTS.items()
        if user.has_perm(permission)
    ]
    return [
        Tab("Status", page, current == STATUS),
        *lists,
        Tab("Settings", f"{page}?{PARAMETER}={SETTINGS}", current == SETTINGS),
    ]


def list_of(url_name: str, repository: Repository) -> str:
    """Return the URL of a list filtered by the repository."""
    is_named = url_name == "metadata_dag_changelist"
    query = {BY_NAME: repository.name} if is_named else {BY_KEY: repository.pk}
    return f"{reverse(f'admin:{url_name}')}?{urlencode(query)}"


def of_list(request: HttpRequest) -> dict[str, Any]:
    """Return the variables `tabs` and `tabs_of` of a list that is filtered by one repository; else nothing."""
    match = request.resolver_match
    url_name = match.url_name if match else None
    if url_name not in _LISTS:
        return {}
    key, name = request.GET.get(BY_KEY, ""), request.GET.get(BY_NAME, "")
    if not (key or name):
        return {}
    named = Repository.objects.visible_to(request.user)
    is_key = key.isascii() and key.isdecimal() and len(key) < 19
    repository = (named.filter(pk=int(key)) if is_key else named.filter(name=name)).first()
    if repository is None or not request.user.has_perm("gitsync.view_repository"):
        return {}
    return {"tabs": tabs(request.user, repository, url_name), "tabs_of": repository.name}
