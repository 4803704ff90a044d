"""Git Sync's tables: repositories and their files, syncs, the sync queue, tokens and roles."""

from gitsync.models.api_token import ApiToken, TokenScope
from gitsync.models.declaration_state import DeclarationState
from gitsync.models.delivery import Delivery, DeliveryOutcome
from gitsync.models.queued_sync import Priority, QueuedSync
from gitsync.models.repository import Repository
from gitsync.models.repository_choices import ManagedBy, RepositoryState, Verify
from gitsync.models.role import Role
from gitsync.models.source_file import FileState, SourceFile
from gitsync.models.sync_run import SyncRun, SyncState, Trigger

__all__ = [
    "ApiToken",
    "DeclarationState",
    "Delivery",
    "DeliveryOutcome",
    "FileState",
    "ManagedBy",
    "Priority",
    "QueuedSync",
    "Repository",
    "RepositoryState",
    "Role",
    "SourceFile",
    "SyncRun",
    "SyncState",
    "TokenScope",
    "Trigger",
    "Verify",
]
