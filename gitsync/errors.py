"""Errors of a sync as a whole, and who has to act.

KiokError
├── gitsync.git.errors.GitError     the remote, the network or the configuration; has its own reasons
├── compilers.source.CompilerError  the commit as a whole cannot be compiled
├── kiok.connections errors         the credential is not available
└── SyncError                       this package's own; `reason` says which, `transient` whether it is retried
    ├── SubpathMissing              a person: the folder has never existed
    ├── SubpathNotAFolder           a person: a link, a submodule or a file is in its place
    ├── SubpathMoved                a person: its files are now in another folder
    ├── TooManyDags                 a person: over kiok.gitsync.max.dags
    ├── WouldEmpty                  a person: the commit prunes every DAG, which the repository does not allow
    ├── LeaseLost                   no action: another worker took over
    ├── ConfigurationChanged        no action: the next sync uses the new configuration
    ├── DeclarationRefused          a person: the declaration names a wrong connection, or is invalid
    ├── WorkerDied                  a person: the worker died several times in a row (crash loop)
    └── Busy                        no action: another sync of this repository is running
"""

from __future__ import annotations

from enum import StrEnum

from kiok.errors import KiokError


class SyncReason(StrEnum):
    """Stable names of this package's own reasons, as stored and shown."""

    # The commit has no such folder, and no earlier sync found it.
    SUBPATH_MISSING = "subpath_missing"
    # The subpath, or a folder above it, is a symbolic link, a submodule or a file in the commit.
    SUBPATH_NOT_A_FOLDER = "subpath_not_a_folder"
    # The subpath is gone, and files that gave DAGs are elsewhere in the commit.
    SUBPATH_MOVED = "subpath_moved"
    # The repository contains more DAGs than kiok.gitsync.max.dags allows.
    TOO_MANY_DAGS = "too_many_dags"
    # The commit would prune every DAG of a repository whose allowEmpty is false; it is held until it is accepted.
    WOULD_EMPTY = "would_empty"
    # Another worker has taken over this repository; this sync committed nothing.
    LEASE_LOST = "lease_lost"
    # The repository was edited during the sync; nothing was committed, and the next sync follows immediately.
    CONFIGURATION_CHANGED = "configuration_changed"
    # The worker died during the sync; a repository is failing for this reason after several deaths in a row.
    WORKER_DIED = "worker_died"
    # Another sync of the repository is running.
    BUSY = "busy"
    # The sync succeeded, but some files failed; their last good DAGs keep serving.
    FILES_FAILED = "files_failed"
    # Python or jar files could not be compiled, because no engine is available.
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    # Python or jar files could not be compiled: the engine does not have their image.
    IMAGE_MISSING = "image_missing"
    # Python or jar files could not be compiled: their image speaks another protocol, or has volumes.
    IMAGE_MISMATCH = "image_mismatch"
    # The commit as a whole cannot be compiled, for example because of an unreadable .kiokignore.
    COMPILE_FAILED = "compile_failed"
    # The connection with the credential cannot be used, or a declared repository names a wrong connection.
    CREDENTIAL = "credential"
    # The repository is declared in the configuration, and its declaration is invalid.
    DECLARATION_INVALID = "declaration_invalid"
    # The repository is disabled.
    DISABLED = "disabled"
    # A user has paused the repository and given a reason.
    PAUSED = "paused"
    # A fault of this service; see the service log.
    INTERNAL = "internal"


class SyncError(KiokError):
    """Error that ends a sync without effect. If `transient`, it is retried with exponential back-off."""

    reason = SyncReason.INTERNAL
    transient = False


class SubpathMissing(SyncError):
    """Error for a configured folder that is not in the commit and never was."""

    reason = SyncReason.SUBPATH_MISSING


class SubpathNotAFolder(SyncError):
    """Error for a configured folder that is not a folder in the commit, or is below something else."""

    reason = SyncReason.SUBPATH_NOT_A_FOLDER


class SubpathMoved(SyncError):
    """Error for a configured folder that is gone while its DAG files are elsewhere in the commit."""

    reason = SyncReason.SUBPATH_MOVED


class TooManyDags(SyncError):
    """Error for a commit with more DAGs than one repository may have."""

    reason = SyncReason.TOO_MANY_DAGS


class WouldEmpty(SyncError):
    """Error for an unaccepted commit that would prune every DAG of a repository whose `allow_empty` is false.

    `dags` is the number of DAGs that it would prune.
    """

    reason = SyncReason.WOULD_EMPTY

    def __init__(self, message: str, dags: int) -> None:
        super().__init__(message)
        self.dags = dags


class LeaseLost(SyncError):
    """Error for a sync whose lease another worker has taken over."""

    reason = SyncReason.LEASE_LOST
    transient = True


class ConfigurationChanged(SyncError):
    """Error for a repository that was edited after its sync acquired the lease."""

    reason = SyncReason.CONFIGURATION_CHANGED
    transient = True


class DeclarationRefused(SyncError):
    """Error for a repository whose declaration cannot be applied: it is not synced with its earlier configuration."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = SyncReason(reason)


class WorkerDied(SyncError):
    """Error for a worker that ended during the sync."""

    reason = SyncReason.WORKER_DIED
    transient = True


class Busy(SyncError):
    """Error for a repository whose lease another sync holds."""

    reason = SyncReason.BUSY
    transient = True
