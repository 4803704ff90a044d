"""Git Sync in the admin: what it shows, one function called for each deed."""

from __future__ import annotations

from django.urls import reverse

from gitsync.admin import administration
from gitsync.admin.api_token import ApiTokenAdmin
from gitsync.admin.delivery import DeliveryAdmin
from gitsync.admin.notification_channel import NoticeReceiverAdmin
from gitsync.admin.repository import RepositoryAdmin
from gitsync.admin.source_file import SourceFileAdmin
from gitsync.admin.sync_run import SyncRunAdmin
from gitsync.git_services.links import source_url
from kiok.metadata.admin import link_repositories, link_sources

__all__ = [
    "ApiTokenAdmin",
    "DeliveryAdmin",
    "NoticeReceiverAdmin",
    "RepositoryAdmin",
    "SourceFileAdmin",
    "SyncRunAdmin",
    "administration",
]

link_repositories(lambda name: reverse("admin:gitsync_repository_named", args=[name]))
link_sources(source_url)
