"""Notifications of Git Sync: which outcomes of polls are notified, and what is said about the repository.

A state is notified once when a repository fails, and once when it recovers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from gitsync.models import Repository, RepositoryState
from gitsync.remedies import remedy
from kiok.cluster.conf import properties
from kiok.notifications import content, outbox
from kiok.notifications.content import Description, redacted_line
from kiok.notifications.errors import NotDelivered
from kiok.notifications.models import Notification, NotificationEvent

_EVENTS = {
    RepositoryState.FAILING.value: NotificationEvent.FAILING,
    RepositoryState.DEGRADED.value: NotificationEvent.DEGRADED,
    RepositoryState.IN_SYNC.value: NotificationEvent.RECOVERED,
}
_WORDS = {
    NotificationEvent.FAILING: "is failing",
    NotificationEvent.DEGRADED: "is degraded",
    NotificationEvent.RECOVERED: "is in sync again",
}
# Written out, as resolving the URL would import every page into the worker.
_PAGE = "/admin/gitsync/repository/{pk}/change/"


def register() -> None:
    """Register the content of Git Sync's notifications."""
    content.register(_WORDS, describe)


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


def describe(notification: Notification) -> Description:
    """Return the description of a notification, with one query if its repository is not loaded."""
    repository = notification.repository
    if repository is None:
        raise NotDelivered("the notification has no repository")
    reason = f": {notification.reason}" if notification.reason else ""
    return Description(
        title=f"{repository.name} {_WORDS[NotificationEvent(notification.event)]}{reason}",
        repository=repository.name,
        owner=repository.owner,
        url=repository.shown_url,
        ref=repository.ref,
        remedy=remedy(notification.reason),
        page=_PAGE.format(pk=repository.pk),
    )
