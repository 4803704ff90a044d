"""The badges of Git Sync: each state with a colour and a label."""

from __future__ import annotations

from django.utils.safestring import SafeString

from gitsync.models import DeliveryOutcome, FileState, Repository, RepositoryState, SyncRun, SyncState
from gitsync.repositories.requests import is_claimed as is_claimed
from gitsync.repositories.states import LABELS, shown_state
from gitsync.repositories.states import PAUSED as PAUSED
from gitsync.repositories.states import QUEUED as QUEUED
from gitsync.repositories.states import SWITCHED_OFF as SWITCHED_OFF
from gitsync.repositories.states import SYNCING as SYNCING
from kiok.metadata.admin.display import Tone, badge

# The states that are shown for a repository, worst first.
REPOSITORY = {
    state: (tone, LABELS[state])
    for state, tone in (
        (RepositoryState.FAILING.value, Tone.BAD),
        (RepositoryState.DEGRADED.value, Tone.WARN),
        (SYNCING, Tone.BUSY),
        (QUEUED, Tone.BUSY),
        (RepositoryState.IN_SYNC.value, Tone.GOOD),
        (RepositoryState.NEVER.value, Tone.IDLE),
        (PAUSED, Tone.WARN),
        (SWITCHED_OFF, Tone.IDLE),
    )
}
_SYNC = {
    SyncState.RUNNING: Tone.BUSY,
    SyncState.SUCCEEDED: Tone.GOOD,
    SyncState.PARTIAL: Tone.WARN,
    SyncState.FAILED: Tone.BAD,
    SyncState.ABANDONED: Tone.IDLE,
}
_FILE = {
    FileState.COMPILED: Tone.GOOD,
    FileState.FAILED: Tone.BAD,
    FileState.NOT_A_DAG: Tone.IDLE,
    FileState.IGNORED: Tone.IDLE,
}
_OUTCOME = {
    DeliveryOutcome.QUEUED: Tone.GOOD,
    DeliveryOutcome.WAITING: Tone.GOOD,
    DeliveryOutcome.PAYLOAD: Tone.BAD,
    DeliveryOutcome.UNSIGNED: Tone.BAD,
    DeliveryOutcome.SIGNATURE: Tone.BAD,
    DeliveryOutcome.SECRET: Tone.BAD,
}


def repository_state(repository: Repository) -> SafeString:
    """Return the badge of the repository's state."""
    return badge(*REPOSITORY[shown_state(repository)])


def sync_state(run: SyncRun) -> SafeString:
    """Return the badge of the sync's state."""
    state = SyncState(run.state)
    return badge(_SYNC[state], state.label)


def file_state(state: str) -> SafeString:
    """Return the badge of a file's state."""
    return badge(_FILE[FileState(state)], FileState(state).label)


def outcome(value: str) -> SafeString:
    """Return the badge of a webhook delivery's outcome."""
    return badge(_OUTCOME.get(DeliveryOutcome(value), Tone.IDLE), str(DeliveryOutcome(value).label))
