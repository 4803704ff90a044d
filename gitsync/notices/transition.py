"""Decision whether a poll's outcome is notified: once when a repository fails, and once when it recovers."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from gitsync.models import Notice, NoticeEvent, Repository, RepositoryState
from gitsync.notices import outbox
from gitsync.notices.content import printable
from kiok.cluster.conf import properties

_EVENTS = {
    RepositoryState.FAILING.value: NoticeEvent.FAILING,
    RepositoryState.DEGRADED.value: NoticeEvent.DEGRADED,
    RepositoryState.IN_SYNC.value: NoticeEvent.RECOVERED,
}


def record_transition(
    repository: Repository, commit: str, *, transient: bool, details: Sequence[str] = ()
) -> Notice | None:
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
        Notice(
            repository=repository,
            event=_EVENTS[repository.state],
            before=told,
            state=repository.state,
            reason=repository.reason,
            message=printable(". ".join([repository.message, *details])),
            commit=commit,
            at=timezone.now(),
        )
    )
