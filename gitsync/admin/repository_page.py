"""What the page of one repository shows above its form: buttons, pause, tests, dry run, and how it stands."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from gitsync.admin import panel
from gitsync.admin.checking import check_panel
from gitsync.admin.dry_run import dry_run_panel
from gitsync.admin.pausing import pause_context
from gitsync.admin.sync_actions import asked_for
from gitsync.models import Repository


def page_context(request: HttpRequest, repository: Repository, *, may_change: bool) -> dict[str, Any]:
    """The template's variables. `may_change`: by the plain permission, for declared repositories too."""

    def url(name: str) -> str:
        return reverse(f"admin:gitsync_repository_{name}", args=[repository.pk])

    return {
        "panel": panel.of_repository(request.user, repository, asked_for(request, repository.pk)),
        "status_url": url("sync_status"),
        "buttons": _buttons(repository, url) if may_change else [],
        "pause": pause_context(repository),
        "pause_url": url("pause") if may_change else "",
        "accept_url": url("accept_empty") if may_change else "",
        "resume_url": url("resume") if may_change else "",
        "results": [
            {"id": name, "title": title, "panel": found, "status_url": url(status)}
            for name, title, found, status in (
                ("remote-check", "Test of the connection", check_panel(request, repository), "check_status"),
                ("dry-run", "Dry run", dry_run_panel(request, repository), "dry_run_status"),
            )
            if found
        ],
    }


def _buttons(repository: Repository, url: Any) -> list[dict[str, Any]]:
    """Each button with what it does; `why_not` where it cannot do it now."""
    off = "It is switched off." if not repository.enabled else ""
    held = off or ("It is paused." if repository.is_paused else "")
    return [
        {
            "label": "Sync now",
            "url": url("sync"),
            "does": "Look at the remote, and take over what is new.",
            "why_not": held,
        },
        {
            "label": "Sync now (full)",
            "url": url("sync"),
            "full": True,
            "does": "The same, and compile even what has not changed.",
            "why_not": held,
        },
        {
            "label": "Dry run",
            "url": url("dry_run"),
            "does": "Find out what a sync would do. Nothing is written.",
            "why_not": off,
        },
        {
            "label": "Test connection",
            "url": url("check"),
            "does": "Ask the server what it has, with the credential, as saved.",
            "why_not": "",
        },
    ]
