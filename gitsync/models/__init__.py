"""Git Sync's tables: repositories and their files, syncs, the sync queue, workers, tokens and notifications."""

from gitsync.models.api_token import ApiToken, TokenScope
from gitsync.models.declaration_state import DeclarationState
from gitsync.models.delivery import Delivery, DeliveryOutcome
from gitsync.models.notice import (
    Notice,
    NoticeDelivery,
    NoticeEvent,
    NoticeReceiver,
    NoticeState,
    ReceiverKind,
)
from gitsync.models.queued_sync import Priority, QueuedSync
from gitsync.models.repository import Repository
from gitsync.models.repository_choices import ManagedBy, RepositoryState, Verify
from gitsync.models.source_file import FileState, SourceFile
from gitsync.models.sync_run import SyncRun, SyncState, Trigger

__all__ = [
    "ApiToken",
    "DeclarationState",
    "Delivery",
    "DeliveryOutcome",
    "FileState",
    "ManagedBy",
    "Notice",
    "NoticeDelivery",
    "NoticeEvent",
    "NoticeReceiver",
    "NoticeState",
    "Priority",
    "QueuedSync",
    "ReceiverKind",
    "Repository",
    "RepositoryState",
    "SourceFile",
    "SyncRun",
    "SyncState",
    "TokenScope",
    "Trigger",
    "Verify",
]
