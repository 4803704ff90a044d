"""Content of the notifications about a repository: title, failed files, commit and links.

A notification stores the state that it reports. The sync of its commit has the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitsync.models import Repository, RepositoryState, SyncRun, SyncState
from gitsync.models.sync_run import MAX_FAILED_FILES
from gitsync.remedies import remedy
from gitsync.repositories import links
from gitsync.repositories.causes import cause
from gitsync.repositories.states import LABELS
from kiok.notifications import content
from kiok.notifications.content import Description
from kiok.notifications.errors import NotDelivered
from kiok.notifications.models import Notification, NotificationEvent
from kiok.notifications.reported_file import ReportedFile
from kiok.text import in_sentence

# The state of the sync that a notification of the event is about.
_STATES: Mapping[str, SyncState] = {
    NotificationEvent.FAILING: SyncState.FAILED,
    NotificationEvent.DEGRADED: SyncState.PARTIAL,
    NotificationEvent.RECOVERED: SyncState.SUCCEEDED,
}
LABELS_OF_EVENTS: Mapping[str, str] = {
    NotificationEvent.FAILING: LABELS[RepositoryState.FAILING],
    NotificationEvent.DEGRADED: LABELS[RepositoryState.DEGRADED],
    NotificationEvent.RECOVERED: LABELS[RepositoryState.IN_SYNC],
}
# Written out, as resolving the URL would import every page into the worker.
_PAGE = "/admin/gitsync/repository/{pk}/change/"


def register() -> None:
    """Register the content of Git Sync's notifications."""
    content.register((NotificationEvent(event) for event in _STATES), describe)


def describe(notification: Notification) -> Description:
    """Return the description of a notification, with four queries at most."""
    repository = notification.repository
    if repository is None:
        raise NotDelivered("the notification has no repository")
    links.load_senders([repository])
    run = _sync_of(notification)
    is_exact = run is not None and run.state == _STATES[notification.event]
    problems = run.failed_files if run is not None and is_exact else []
    files = _files(repository, notification.commit, problems)
    return Description(
        title=f"{repository.name} {_title(notification, repository, problems, len(files))}",
        repository=repository.name,
        owner=repository.owner,
        url=repository.shown_url,
        ref=repository.ref,
        remedy=remedy(notification.reason),
        page=_PAGE.format(pk=repository.pk),
        summary=run.message if run is not None and files else "",
        author=run.commit_author if run else "",
        subject=run.commit_subject if run else "",
        commit_link=links.commit_url(repository, notification.commit),
        files=files,
    )


def _sync_of(notification: Notification) -> SyncRun | None:
    """Return the newest sync of the notification's commit that ended in its state, else the newest one of the commit."""
    if not notification.commit:
        return None
    rows = (
        SyncRun.objects.filter(repository=notification.repository_id, to_commit=notification.commit)
        .defer("log", "changes", "timings")
        .order_by("-id")
    )
    return rows.filter(state=_STATES[notification.event]).first() or rows.first()


def _files(repository: Repository, commit: str, problems: Sequence[Mapping[str, Any]]) -> list[ReportedFile]:
    """Return each failed file once, with its first problem."""
    first: dict[str, Mapping[str, Any]] = {}
    for problem in problems:
        first.setdefault(problem["path"], problem)
    return [
        ReportedFile(
            path, item["line"], item["message"], links.file_url(repository, commit, path, item["line"])
        )
        for path, item in first.items()
    ]


def _title(
    notification: Notification, repository: Repository, problems: Sequence[Any], failed_files: int
) -> str:
    """Return the state and its cause in words, such as `is degraded: 2 files fail to compile`."""
    is_in = f"is {in_sentence(LABELS_OF_EVENTS[notification.event])}"
    if notification.event == NotificationEvent.RECOVERED:
        return f"{is_in} again"
    if notification.event == NotificationEvent.FAILING:
        why = cause(repository, notification.reason, notification.message)
        return f"{is_in}: {why}" if why else is_in
    if not failed_files:
        return f"{is_in}: files fail to compile"
    least = "at least " if len(problems) >= MAX_FAILED_FILES else ""
    return f"{is_in}: {least}{failed_files} file{'s fail' if failed_files != 1 else ' fails'} to compile"
