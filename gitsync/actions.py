"""Actions that users request in the admin or through the API. Each is recorded in the admin's log under the user's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.utils import timezone

from gitsync.errors import SyncReason
from gitsync.models import Repository, Trigger
from gitsync.sync.backoff import poll_now
from gitsync.sync.empty_hold import EmptyHold, every_dag, hold_of
from gitsync.tasks import enqueue_dry_run, enqueue_sync
from kiok.text import flaw

MAX_REASON = 500


class ActionRefused(Exception):
    """The repository's state does not allow the action; the message says why. `code` is stable, for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def ask_for_sync(
    user: Any, repository: Repository, *, full: bool = False, trigger: Trigger = Trigger.ADMIN
) -> str:
    """Request a sync of the repository. Return the task's id. Raise ActionRefused."""
    _require_enabled(repository)
    if repository.is_paused:
        raise ActionRefused(SyncReason.PAUSED, pause_message(repository))
    with transaction.atomic():
        _record(user, repository, "Requested a full sync." if full else "Requested a sync.")
        return enqueue_sync(repository.pk, trigger, full=full, requested_by=user.get_username())


def ask_for_dry_run(user: Any, repository: Repository, *, full: bool = False) -> str:
    """Request a dry run of the repository. Return the task's id. Raise ActionRefused.

    A paused repository is allowed, to learn what a sync would do after resuming.
    """
    _require_enabled(repository)
    with transaction.atomic():
        _record(user, repository, "Requested a dry run.")
        return enqueue_dry_run(repository.pk, full=full)


def ask_for_connection_test(user: Any, repository: Repository) -> str:
    """Request a test of the repository's connection. Return the task's id.

    A paused or disabled repository is allowed, to learn whether it can be resumed or enabled.
    """
    # This imports git and the container engine's client, which commands do not need.
    from gitsync.repositories.connection_test_tasks import enqueue_check

    with transaction.atomic():
        _record(user, repository, "Requested a connection test.")
        return enqueue_check(repository.pk)


def pause(user: Any, repository: Repository, reason: str) -> None:
    """Stop checking and syncing the repository until it is resumed. A running sync commits nothing.

    Its DAGs keep their current state. Pausing a paused repository replaces the reason. Raise ActionRefused without a reason.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ActionRefused("reason_missing", "Enter a reason for the pause. It is shown to other users.")
    if problem := flaw(reason):
        raise ActionRefused("reason_invalid", f"The reason {problem}.")
    if len(reason) > MAX_REASON:
        raise ActionRefused(
            "reason_too_long", f"The reason has {len(reason)} characters; at most {MAX_REASON} are allowed."
        )
    with transaction.atomic():
        _write(repository, paused_at=timezone.now(), paused_by=user.get_username(), pause_reason=reason)
        _record(user, repository, f"Paused: {reason}")


def resume(user: Any, repository: Repository, *, trigger: Trigger = Trigger.ADMIN) -> None:
    """Resume checking the repository, and request a sync. Does nothing if the repository is not paused."""
    with transaction.atomic():
        held_back = Repository.objects.select_for_update().filter(pk=repository.pk, paused_at__isnull=False)
        if not held_back.exists():
            return
        poll_now(repository)
        _write(
            repository,
            **{"paused_at": None, "paused_by": "", "pause_reason": ""},
            next_due_at=repository.next_due_at,
            consecutive_failures=repository.consecutive_failures,
        )
        _record(user, repository, "Resumed.")
        # The leader's next poll may use a cached answer of the remote that is older than the last push.
        if repository.enabled:
            enqueue_sync(repository.pk, trigger, requested_by=user.get_username())


def accept_empty(user: Any, repository: Repository, commit: str, *, trigger: Trigger = Trigger.ADMIN) -> str:
    """Accept the held commit, which prunes every DAG, and request a sync. Return the task's id. Raise ActionRefused."""
    with transaction.atomic():
        hold = mark_accepted(repository, commit, user.get_username())
        _record(user, repository, f"Accepted commit {commit}, which prunes {every_dag(hold.dags)}.")
        return enqueue_sync(repository.pk, trigger, requested_by=user.get_username())


def mark_accepted(repository: Repository, commit: str, accepted_by: str) -> EmptyHold:
    """Record who accepted the held commit; a sync must follow. Raise ActionRefused if another commit is held, or none.

    The caller passes the commit, so that a user cannot accept a commit that arrived after the page was shown.
    """
    _require_enabled(repository)
    if repository.is_paused:
        raise ActionRefused(SyncReason.PAUSED, pause_message(repository))
    with transaction.atomic():
        row = Repository.objects.select_for_update().filter(pk=repository.pk).first()
        hold = hold_of(row) if row else None
        if row is None or hold is None:
            raise ActionRefused(
                "nothing_held",
                f"No commit of {repository.name} is held for acceptance. Sync it, and check whether one is held then.",
            )
        if hold.commit != commit:
            raise ActionRefused(
                "other_commit_held",
                f"The held commit of {row.name} is {hold.commit}, not {commit}. Check it, and accept it by its full id.",
            )
        if not hold.accepted_by:
            hold = replace(hold, accepted_by=accepted_by)
            _write(row, empty_hold=hold.to_json())
    return hold


def pause_message(repository: Repository) -> str:
    """Return a message that says who paused the repository, and why."""
    reason = repository.pause_reason.rstrip(".")
    return f"{repository.name} is paused by {repository.paused_by}: {reason}. Resume it first."


def _require_enabled(repository: Repository) -> None:
    if not repository.enabled:
        raise ActionRefused(SyncReason.DISABLED, f"{repository.name} is disabled. Enable it first.")


def _write(repository: Repository, **fields: Any) -> None:
    """Write only these fields: syncs may have changed the others since the row was read."""
    for name, value in fields.items():
        setattr(repository, name, value)
    Repository.objects.filter(pk=repository.pk).update(**fields)


def _record(user: Any, repository: Repository, message: str) -> None:
    LogEntry.objects.log_actions(
        int(user.pk), [repository], CHANGE, change_message=message, single_object=True
    )
