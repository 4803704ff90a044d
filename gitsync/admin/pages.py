"""All pages of Git Sync. Importing this module registers the lists; `urls` adds overview, search, errors and system."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLResolver, include, path, reverse

from gitsync.admin import accounts, administration, dag_actions
from gitsync.admin.api_token import ApiTokenAdmin
from gitsync.admin.connection import ConnectionUseAdmin
from gitsync.admin.delivery import DeliveryAdmin
from gitsync.admin.errors import ErrorViews
from gitsync.admin.notification_channel import NotificationChannelAdmin
from gitsync.admin.overview import OverviewViews
from gitsync.admin.repository import RepositoryAdmin
from gitsync.admin.search import SearchViews
from gitsync.admin.source_file import SourceFileAdmin
from gitsync.admin.sync_run import SyncRunAdmin
from gitsync.admin.system import SystemViews
from gitsync.models import Repository, SourceFile
from gitsync.repositories.links import named_commit_url, source_url
from kiok.metadata.admin import link_commits, link_repositories, link_sources

__all__ = [
    "ApiTokenAdmin",
    "ConnectionUseAdmin",
    "DeliveryAdmin",
    "NotificationChannelAdmin",
    "RepositoryAdmin",
    "SourceFileAdmin",
    "SyncRunAdmin",
    "accounts",
    "administration",
]

link_repositories(lambda name: reverse("admin:gitsync_repository_named", args=[name]))
link_sources(source_url)
link_commits(named_commit_url)
dag_actions.register()


def urls(site: AdminSite) -> list[URLResolver]:
    """Return their URLs. They are not below a list's URL, since the navigation would then mark that list as current."""
    repositories, files = site.get_model_admin(Repository), site.get_model_admin(SourceFile)
    views = (
        OverviewViews(repositories),
        SearchViews(repositories),
        ErrorViews(files),
        SystemViews(repositories),
    )
    return [path("gitsync/", include([url for view in views for url in view.urls()]))]
