"""Whether what a look found is to be told: once when a repository falls ill, once when it is well again."""

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
    """Record a notice if the repository's state is not what was last told; None if there is nothing to tell.

    To be called in the transaction that writes the state, with the row locked; sets `notified_state` and `unnotified_polls`,
    which the caller saves. `commit` is the one looked at, "" where it could not be learnt. What is `transient` is told
    after `kiok.notice.after.failures` looks in a row, so that a passing failure is told neither as it comes nor as
    it goes. `details` follow the repository's message.
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
