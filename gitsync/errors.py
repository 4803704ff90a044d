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

from gitsync.git.errors import FailureReason
from kiok.errors import KiokError


class SyncReason(FailureReason):
    """This package's own causes of failed syncs."""

    LEASE_LOST = (
        "lease_lost",
        True,
        "Another worker has taken over the repository. This sync committed nothing.",
    )
    CONFIGURATION_CHANGED = (
        "configuration_changed",
        True,
        "The repository was edited during the sync. Nothing was committed.",
    )
    WORKER_DIED = (
        "worker_died",
        True,
        "The worker died during the sync: out of memory, crashed, killed, or over "
        "kiok.gitsync.sync.timeout.ms. Such a sync is repeated immediately. A repository has this reason "
        "after three such syncs in a row at one commit. It is retried with growing back-off, and every "
        "DAG keeps serving.",
    )
    BUSY = "busy", True, "Another sync of the repository is running."
    SANDBOX_UNAVAILABLE = (
        "sandbox_unavailable",
        True,
        "Python files or jars could not be compiled, because no engine is available. Also retried at the "
        "first poll that finds one.",
    )
    IMAGE_MISSING = (
        "image_missing",
        True,
        "Python files or jars could not be compiled: the engine does not have their image. Also retried "
        "at the first poll that finds it.",
    )
    IMAGE_MISMATCH = (
        "image_mismatch",
        True,
        "Python files or jars could not be compiled: their image uses another protocol than the service, "
        "or has volumes. Also retried at the first poll that finds another image.",
    )
    INTERNAL = "internal", True, "A fault of the service."
    SUBPATH_MISSING = (
        "subpath_missing",
        False,
        "The commit has no such folder, and no earlier sync saw it there. Nothing was changed.",
    )
    SUBPATH_NOT_A_FOLDER = (
        "subpath_not_a_folder",
        False,
        "The subpath, or a folder above it, is a symbolic link, a submodule or a file in the commit. "
        "Nothing was changed.",
    )
    SUBPATH_MOVED = (
        "subpath_moved",
        False,
        "The subpath is missing from the commit, and files that defined DAGs are in another folder. "
        "Nothing was changed.",
    )
    TOO_MANY_DAGS = (
        "too_many_dags",
        False,
        "The repository contains more DAGs than kiok.gitsync.max.dags. Nothing was changed.",
    )
    WOULD_EMPTY = (
        "would_empty",
        False,
        "The commit would prune every DAG of a repository whose allowEmpty is false. It is held until it "
        "is accepted; nothing was changed.",
    )
    FILES_FAILED = (
        "files_failed",
        False,
        "The sync succeeded, but files failed; their last good DAGs keep serving.",
    )
    COMPILE_FAILED = (
        "compile_failed",
        False,
        "The commit cannot be evaluated as a whole, for example because of an unreadable .kiokignore. "
        "Nothing was changed.",
    )
    CREDENTIAL = (
        "credential",
        False,
        "The connection with the credential is unusable, or a declared repository names a wrong connection.",
    )
    DECLARATION_INVALID = (
        "declaration_invalid",
        False,
        "The repository is declared in the configuration, and its declaration is invalid. Its DAGs keep "
        "serving.",
    )
    DISABLED = "disabled", False, "The repository is disabled."
    PAUSED = "paused", False, "A user has paused the repository, with a reason."


class SyncError(KiokError):
    """Error that ends a sync without effect."""

    reason = SyncReason.INTERNAL

    @property
    def transient(self) -> bool:
        """Return whether the sync is retried with exponential back-off."""
        return self.reason.transient


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


class ConfigurationChanged(SyncError):
    """Error for a repository that was edited after its sync acquired the lease."""

    reason = SyncReason.CONFIGURATION_CHANGED


class DeclarationRefused(SyncError):
    """Error for a repository whose declaration cannot be applied: it is not synced with its earlier configuration."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = SyncReason(reason)


class WorkerDied(SyncError):
    """Error for a worker that ended during the sync."""

    reason = SyncReason.WORKER_DIED


class Busy(SyncError):
    """Error for a repository whose lease another sync holds."""

    reason = SyncReason.BUSY
