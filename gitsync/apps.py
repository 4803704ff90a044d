"""Git Sync: from a git repository to the metadata store."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks
from django.db.models.signals import post_migrate


class GitsyncConfig(AppConfig):
    name = "gitsync"
    label = "gitsync"
    verbose_name = "Git Sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gitsync import access, tasks
        from gitsync.models.connection_checks import wrong_values
        from gitsync.queue import safe_pickle
        from gitsync.repositories import dag_warnings, notification_content
        from gitsync.worker import jobs
        from kiok.connections import usage, value_checks
        from kiok.metadata import dag_warnings as metadata_warnings
        from kiok.metadata import lexers
        from kiok.metadata.visibility import restrict_to
        from kiok.notifications import outbox
        from kiok.notifications.visibility import restrict_to as restrict_notifications_to

        restrict_to(access.visible_names)
        restrict_notifications_to(access.visible_keys)
        outbox.enqueue_with(tasks.enqueue_delivery)
        notification_content.register()
        value_checks.register(wrong_values)
        usage.grant_by(access.granted_connections)
        lexers.find_with(_lexer_of)
        metadata_warnings.find_with(dag_warnings.of_dag)
        safe_pickle.install()
        tasks.connect()
        jobs.register()
        post_migrate.connect(tasks.ensure_schedule, sender=self)


class GitsyncAdminConfig(SimpleAdminConfig):
    """Admin app with Git Sync's own site.

    The admin pages are discovered only by the urls (`Site.get_urls`) and the system checks: workers and commands
    do not need them.
    """

    default_site = "gitsync.admin.site.Site"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _lexer_of(suffix: str) -> str:
    """Return the lexer of the format with this suffix, "" if there is none."""
    from compilers.formats import format_of  # imports the compilers, which only a page with a source needs

    item = format_of(f"file{suffix}")
    return item.lexer if item else ""


def _check_pages(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Run Django's own admin checks on all pages."""
    from gitsync.admin.site import discover_pages

    discover_pages()
    return check_admin_app(app_configs, **options)
