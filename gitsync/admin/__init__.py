"""Git Sync in the admin: Repositories, Syncs, Files, Webhook deliveries. It shows, and calls one function per deed."""

from __future__ import annotations

from django.urls import reverse

from gitsync.admin import administration
from gitsync.admin.delivery import DeliveryAdmin
from gitsync.admin.repository import RepositoryAdmin
from gitsync.admin.source_file import SourceFileAdmin
from gitsync.admin.sync_run import SyncRunAdmin
from kiok.metadata.admin import link_repositories

__all__ = ["DeliveryAdmin", "RepositoryAdmin", "SourceFileAdmin", "SyncRunAdmin", "administration"]

link_repositories(lambda name: reverse("admin:gitsync_repository_named", args=[name]))
