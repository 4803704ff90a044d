"""The part of a repository's page above its form: buttons, pause, connection test, dry run, status."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from gitsync.access import may_sync
from gitsync.admin import panel
from gitsync.admin.checking import check_panel
from gitsync.admin.dry_run import dry_run_panel
from gitsync.admin.pausing import pause_context
from gitsync.admin.sync_actions import asked_for
from gitsync.models import Repository


def page_context(request: HttpRequest, repository: Repository, *, may_change: bool) -> dict[str, Any]:
    """Return the template's variables. `may_change`: the permission, also true for declared repositories."""

    def url(name: str) -> str:
        return reverse(f"admin:gitsync_repository_{name}", args=[repository.pk])

    return {
        "panel": panel.of_repository(request, repository, asked_for(request, repository.pk)),
        "status_url": url("sync_status"),
        "buttons": _buttons(repository, url) if may_sync(request.user) else [],
        "pause": pause_context(repository),
        "pause_url": url("pause") if may_change else "",
        "accept_url": url("accept_empty") if may_change else "",
        "resume_url": url("resume") if may_change else "",
        "results": [
            {"id": name, "title": title, "panel": found, "status_url": url(status)}
            for name, title, found, status in (
                ("remote-check", "Connection test", check_panel(request, repository), "check_status"),
                ("dry-run", "Dry run", dry_run_panel(request, repository), "dry_run_status"),
            )
            if found
        ],
    }


def _buttons(repository: Repository, url: Any) -> list[dict[str, Any]]:
    """Return the buttons, each with a description. `why_not` says why a button is disabled."""
    off = "The repository is disabled." if not repository.enabled else ""
    held = off or ("The repository is paused." if repository.is_paused else "")
    return [
        {
            "label": "Sync now",
            "url": url("sync"),
            "does": "Check the remote and apply new commits.",
            "why_not": held,
        },
        {
            "label": "Sync now (full)",
            "url": url("sync"),
            "full": True,
            "does": "The same, and recompile unchanged files too.",
            "why_not": held,
        },
        {
            "label": "Dry run",
            "url": url("dry_run"),
            "does": "Show what a sync would change. Nothing is written.",
            "why_not": off,
        },
        {
            "label": "Test connection",
            "url": url("check"),
            "does": "Connect to the git server with the saved URL and credential.",
            "why_not": "",
        },
    ]
