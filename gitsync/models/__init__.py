"""Git Sync's own tables: what to sync, what was seen, what was done, and who leads."""

from gitsync.models.api_token import ApiToken, Scope
from gitsync.models.delivery import Delivery, Outcome
from gitsync.models.leadership import Leadership
from gitsync.models.repository import ManagedBy, Repository, RepositoryState, Verify
from gitsync.models.source_file import FileState, SourceFile
from gitsync.models.sync_run import SyncRun, SyncState, Trigger
from gitsync.models.turn import Lane, Turn
from gitsync.models.worker import Worker

__all__ = [
    "ApiToken",
    "Delivery",
    "FileState",
    "Lane",
    "Leadership",
    "ManagedBy",
    "Outcome",
    "Repository",
    "RepositoryState",
    "Scope",
    "SourceFile",
    "SyncRun",
    "SyncState",
    "Trigger",
    "Turn",
    "Verify",
    "Worker",
]
