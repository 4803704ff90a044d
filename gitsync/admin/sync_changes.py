"""The changes of a sync: what it did to each DAG, and which files failed, with links to details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from gitsync.models import SourceFile, SyncRun
from gitsync.repositories import links
from gitsync.repositories.queries import CHANGES
from kiok.metadata.admin import display
from kiok.metadata.models import Dag, DagVersion

SHOWN_UIDS = 500
SHOWN_PROBLEMS = 200


def of_sync(run: SyncRun, user: Any) -> SafeString:
    """Return the created, updated, pruned, stale and failed items as HTML. Takes at most three queries."""
    shown = {name: run.changes.get(name, [])[:SHOWN_UIDS] for name in CHANGES}
    uids = {uid for some in shown.values() for uid in some}
    pages, versions = _pages(uids, user), _versions(run, uids, user)
    changes = [
        {
            "name": name,
            "number": len(run.changes[name]),
            "left_out": len(run.changes[name]) - len(some),
            "dags": [
                {"uid": uid, "url": pages.get(uid, ""), "version": versions.get(uid, ("", ""))}
                for uid in some
            ],
            "is_update": name == "updated",
        }
        for name, some in shown.items()
        if some
    ]
    context = {"changes": changes, **_problems(run, user), "unchanged": run.unchanged}
    return render_to_string("gitsync/changes.html", context)


def _pages(uids: set[str], user: Any) -> Mapping[str, str]:
    """Return the page of each uid that the user may view: its DAG if still registered, else its versions."""
    pages = {}
    if user.has_perm("metadata.view_dagversion"):
        versions = reverse("admin:metadata_dagversion_changelist")
        pages = {uid: f"{versions}?{urlencode({'uid__exact': uid})}" for uid in uids}
    if uids and user.has_perm("metadata.view_dag"):
        registered = Dag.objects.filter(uid__in=uids).visible_to(user).values_list("uid", flat=True)
        pages.update({uid: display.page_of("metadata_dag", uid) for uid in registered})
    return pages


def _versions(run: SyncRun, uids: set[str], user: Any) -> Mapping[str, tuple[int, str]]:
    """Return by uid the version that this sync created, and its page, which shows its changes."""
    if not uids or run.finished_at is None or not user.has_perm("metadata.view_dagversion"):
        return {}
    made = DagVersion.objects.filter(
        uid__in=uids, created_at__gte=run.started_at, created_at__lte=run.finished_at
    )
    rows = made.visible_to(user).values_list("uid", "version", "pk")
    return {uid: (version, display.page_of("metadata_dagversion", pk)) for uid, version, pk in rows}


def _problems(run: SyncRun, user: Any) -> dict[str, Any]:
    shown = run.failed_files[:SHOWN_PROBLEMS]
    pages = {}
    if shown and user.has_perm("gitsync.view_sourcefile"):
        paths = {item["path"] for item in shown}
        known = SourceFile.objects.filter(repository=run.repository_id, path__in=paths).visible_to(user)
        pages = {
            path: display.page_of("gitsync_sourcefile", pk) for path, pk in known.values_list("path", "pk")
        }
    return {
        "problems": [
            {
                "place": ":".join(str(part) for part in (item["path"], item["line"]) if part is not None),
                "url": pages.get(item["path"], ""),
                "source": links.file_url(run.repository, run.to_commit, item["path"], item["line"]),
                "message": display.shortened(item["message"], 400),
            }
            for item in shown
        ],
        "problems_left_out": len(run.failed_files) - len(shown),
        "n_problems": len(run.failed_files),
    }
