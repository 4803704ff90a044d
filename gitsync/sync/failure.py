"""Failures of a sync: the stable reason, the message and the retry policy of each error that a step raises."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from compilers.source import CompilerError
from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitError, GitReason
from gitsync.models import Repository
from kiok.connections.redaction import redact
from kiok.errors import KiokError

log = logging.getLogger(__name__)

MAX_MESSAGE = 4000


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """Reason why a sync had no effect. `transient`: it is retried with exponential back-off."""

    reason: str
    message: str
    transient: bool


def failure_of(error: Exception) -> SyncFailure:
    """Convert any error to the failure of a repository."""
    # A server's answer may repeat the credential it was sent, for example as the name of a branch.
    text = redact(str(error))[:MAX_MESSAGE]
    if isinstance(error, GitError | SyncError):
        return SyncFailure(str(error.reason), text, error.transient)
    if is_store_full(error):
        message = f"the database has no space left on its disk. PostgreSQL reports: {' '.join(text.split())}"
        return SyncFailure(GitReason.DISK_FULL, message, transient=True)
    if isinstance(error, CompilerError):
        return SyncFailure(SyncReason.COMPILE_FAILED, text, transient=False)
    if isinstance(error, KiokError):
        return SyncFailure(str(getattr(error, "reason", SyncReason.INTERNAL)), text, True)
    message = f"an unexpected {type(error).__name__} stopped the sync; see the service log"
    return SyncFailure(SyncReason.INTERNAL, message, transient=True)


def logged_failure_of(error: Exception, repository: Repository) -> SyncFailure:
    """Convert an error to a failure and log it, with the traceback if it is a fault of this service."""
    failure = failure_of(error)
    if failure.reason == SyncReason.INTERNAL:
        log.error("sync of %s failed unexpectedly", repository.name, exc_info=error)
    else:
        log.warning("sync of %s failed (%s): %s", repository.name, failure.reason, failure.message)
    return failure


def is_store_full(error: Exception) -> bool:
    """Return whether the database's disk is full (disk_full, class 53 of PostgreSQL's error codes)."""
    return getattr(error.__cause__, "sqlstate", None) == "53100"
