"""What can go wrong with a sync as a whole.

KiokError
├── gitsync.git.errors.GitError     the remote, the network or the configuration; has its own reasons
├── compilers.base.CompilerError    the commit cannot be judged as a whole
├── kiok.connections errors         the credential cannot be had
└── SyncError                       this package's own; `reason` says which, `transient` who acts
    ├── SubpathMissing              a person: the folder has never been there
    ├── SubpathNotAFolder           a person: a link, a submodule or a file is in its place
    ├── SubpathMoved                a person: its files are in another folder now
    ├── TooManyDags                 a person: over kiok.gitsync.max.dags
    ├── WouldEmpty                  a person: the commit prunes every DAG, which the repository does not allow
    ├── LeaseLost                   nobody: another worker took over
    ├── ConfigurationChanged        nobody: the next sync uses the new one
    ├── DeclarationRefused          a person: the declaration names a wrong connection, or is invalid
    ├── WorkerDied                  a person: workers died at it several times in a row
    └── Busy                        nobody: another sync of this repository is under way
"""

from __future__ import annotations

from enum import StrEnum

from kiok.errors import KiokError


class SyncReason(StrEnum):
    """Stable names of this package's own reasons, as stored and shown."""

    SUBPATH_MISSING = "subpath_missing"
    """The commit has no such folder, and no earlier sync saw it there."""
    SUBPATH_NOT_A_FOLDER = "subpath_not_a_folder"
    """The subpath, or a folder above it, is a symbolic link, a submodule or a file in the commit."""
    SUBPATH_MOVED = "subpath_moved"
    """The subpath is gone, and files that gave DAGs are elsewhere in the commit."""
    TOO_MANY_DAGS = "too_many_dags"
    """The repository holds more DAGs than kiok.gitsync.max.dags allows."""
    WOULD_EMPTY = "would_empty"
    """The commit would prune every DAG of a repository whose allowEmpty is false; it is held until it is accepted."""
    LEASE_LOST = "lease_lost"
    """Another worker has taken over this repository; this sync committed nothing."""
    CONFIGURATION_CHANGED = "configuration_changed"
    """The repository was edited while it synced; nothing was committed, the next sync follows at once."""
    WORKER_DIED = "worker_died"
    """The worker died in the midst of the sync; a repository fails for it when that comes again and again."""
    BUSY = "busy"
    """Another sync of the repository is under way."""
    FILES_FAILED = "files_failed"
    """The sync succeeded, but some files failed; their last good DAGs still serve."""
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    """Python or jar files could not be compiled for want of an engine."""
    IMAGE_MISSING = "image_missing"
    """Python or jar files could not be compiled: the engine does not have their image."""
    IMAGE_MISMATCH = "image_mismatch"
    """Python or jar files could not be compiled: their image speaks another protocol, or has volumes."""
    COMPILE_FAILED = "compile_failed"
    """The commit as a whole cannot be judged, for example for an unreadable .kiokignore."""
    CREDENTIAL = "credential"
    """The connection that holds the credential cannot be used, or a declared repository names a wrong connection."""
    DECLARATION_INVALID = "declaration_invalid"
    """The repository is declared in the configuration, and its declaration is invalid."""
    DISABLED = "disabled"
    """The repository is switched off."""
    PAUSED = "paused"
    """Somebody has paused the repository, and said why."""
    INTERNAL = "internal"
    """A fault of this service; the log has the details."""


class SyncError(KiokError):
    """A sync ended without effect. `transient` ones are tried again with growing pauses."""

    reason = SyncReason.INTERNAL
    transient = False


class SubpathMissing(SyncError):
    """The configured folder is not in the commit and never was."""

    reason = SyncReason.SUBPATH_MISSING


class SubpathNotAFolder(SyncError):
    """The configured folder, or one above it, is something else in the commit."""

    reason = SyncReason.SUBPATH_NOT_A_FOLDER


class SubpathMoved(SyncError):
    """The configured folder is gone, and its DAG files are elsewhere in the commit."""

    reason = SyncReason.SUBPATH_MOVED


class TooManyDags(SyncError):
    """Over the limit of DAGs in one repository."""

    reason = SyncReason.TOO_MANY_DAGS


class WouldEmpty(SyncError):
    """A commit that would prune every DAG of a repository whose `allow_empty` is false, and that nobody has accepted.

    `dags` is the number of DAGs that it would prune.
    """

    reason = SyncReason.WOULD_EMPTY

    def __init__(self, message: str, dags: int) -> None:
        super().__init__(message)
        self.dags = dags


class LeaseLost(SyncError):
    """The claim is no longer ours."""

    reason = SyncReason.LEASE_LOST
    transient = True


class ConfigurationChanged(SyncError):
    """The repository row was edited after the claim."""

    reason = SyncReason.CONFIGURATION_CHANGED
    transient = True


class DeclarationRefused(SyncError):
    """The repository's declaration cannot be followed, so it is not synced by the configuration from before."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = SyncReason(reason)


class WorkerDied(SyncError):
    """The worker ended in the midst of the sync."""

    reason = SyncReason.WORKER_DIED
    transient = True


class Busy(SyncError):
    """Somebody else holds the claim."""

    reason = SyncReason.BUSY
    transient = True
