"""Notifications of Git Sync: which outcomes of polls are notified.

A state is notified once when a repository fails, and once when it recovers. `gitsync.repositories.notification_content`
describes the repository when the notification is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from gitsync.models import Repository, RepositoryState
from kiok.cluster.conf import properties
from kiok.notifications import outbox
from kiok.notifications.content import redacted_line
from kiok.notifications.models import Notification, NotificationEvent

_EVENTS = {
    RepositoryState.FAILING.value: NotificationEvent.FAILING,
    RepositoryState.DEGRADED.value: NotificationEvent.DEGRADED,
    RepositoryState.IN_SYNC.value: NotificationEvent.RECOVERED,
}


def record_transition(
    repository: Repository, commit: str, *, transient: bool, details: Sequence[str] = ()
) -> Notification | None:
    """Record and return a notification if the repository's state differs from the last notified one, else return None.

    Call it in the transaction that writes the state, with the row locked. It sets `notified_state` and
    `unnotified_polls`, which the caller saves. `commit` is the checked commit, "" if unknown. A `transient` failure is
    notified only after `kiok.notice.after.failures` consecutive polls, so that neither a short failure nor its recovery
    is notified. `details` are appended to the repository's message.
    """
    told = repository.notified_state or RepositoryState.IN_SYNC.value
    if repository.state == told or repository.state not in _EVENTS:
        repository.unnotified_polls = 0
        return None
    repository.unnotified_polls += 1
    if transient and repository.unnotified_polls < properties().notice_after_failures:
        return None
    repository.notified_state = repository.state
    repository.unnotified_polls = 0
    return outbox.put(
        Notification(
            repository=repository,
            event=_EVENTS[repository.state],
            before=told,
            state=repository.state,
            reason=repository.reason,
            message=redacted_line(". ".join([repository.message, *details])),
            commit=commit,
            at=timezone.now(),
        )
    )
