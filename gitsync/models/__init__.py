"""Git Sync's own tables: what to sync, what was seen, what was done, and who leads."""

from gitsync.models.delivery import Delivery, Outcome
from gitsync.models.leadership import Leadership
from gitsync.models.repository import ManagedBy, Repository, RepositoryState, Verify
from gitsync.models.source_file import FileState, SourceFile
from gitsync.models.sync_run import SyncRun, SyncState, Trigger

__all__ = [
    "Delivery",
    "FileState",
    "Leadership",
    "ManagedBy",
    "Outcome",
    "Repository",
    "RepositoryState",
    "SourceFile",
    "SyncRun",
    "SyncState",
    "Trigger",
    "Verify",
]
