"""Why a sync had no effect: the stable reason, the text for people and the policy of whatever a step raised."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from compilers.base import CompilerError
from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitError, GitReason
from gitsync.models import Repository
from kiok.connections.redaction import redact
from kiok.errors import KiokError

log = logging.getLogger(__name__)

MAX_MESSAGE = 4000


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """Why a sync had no effect. `transient`: it is tried again with growing pauses."""

    reason: str
    message: str
    transient: bool


def failure_of(error: Exception) -> SyncFailure:
    """What any error is as a repository's failure."""
    # Whatever a server says may repeat the credential it was sent, be it as the name of a branch.
    text = redact(str(error))[:MAX_MESSAGE]
    if isinstance(error, GitError | SyncError):
        return SyncFailure(str(error.reason), text, error.transient)
    if is_store_full(error):
        message = f"the database has no space left on its disk. PostgreSQL says: {' '.join(text.split())}"
        return SyncFailure(GitReason.DISK_FULL, message, transient=True)
    if isinstance(error, CompilerError):
        return SyncFailure(SyncReason.COMPILE_FAILED, text, transient=False)
    if isinstance(error, KiokError):
        return SyncFailure(str(getattr(error, "reason", SyncReason.INTERNAL)), text, True)
    message = f"an unexpected {type(error).__name__} stopped the sync; the service's log has the details"
    return SyncFailure(SyncReason.INTERNAL, message, transient=True)


def logged_failure_of(error: Exception, repository: Repository) -> SyncFailure:
    """The same, told in the log: in full where it is this service's fault."""
    failure = failure_of(error)
    if failure.reason == SyncReason.INTERNAL:
        log.error("sync of %s failed unexpectedly", repository.name, exc_info=error)
    else:
        log.warning("sync of %s failed (%s): %s", repository.name, failure.reason, failure.message)
    return failure


def is_store_full(error: Exception) -> bool:
    """Whether the database had no room for what it was to write (disk_full, class 53 of PostgreSQL's error codes)."""
    return getattr(error.__cause__, "sqlstate", None) == "53100"
