"""Git Sync: from a git repository to the metadata store."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class GitsyncConfig(AppConfig):
    name = "gitsync"
    label = "gitsync"
    verbose_name = "Git Sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gitsync import access, tasks
        from kiok.metadata.access import restrict_to

        restrict_to(access.visible_names)
        tasks.connect()
        post_migrate.connect(tasks.ensure_schedule, sender=self)


class GitsyncAdminConfig(AdminConfig):
    """The admin, with Git Sync's own site."""

    default_site = "gitsync.admin_site.Site"
