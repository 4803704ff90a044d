"""Git Sync's own tables: what to sync, what was seen, what was done, who leads, and who is told."""

from gitsync.models.api_token import ApiToken, Scope
from gitsync.models.delivery import Delivery, Outcome
from gitsync.models.leadership import Leadership
from gitsync.models.notice import (
    Notice,
    NoticeDelivery,
    NoticeEvent,
    NoticeReceiver,
    NoticeState,
    ReceiverKind,
)
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
    "Notice",
    "NoticeDelivery",
    "NoticeEvent",
    "NoticeReceiver",
    "NoticeState",
    "Outcome",
    "ReceiverKind",
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
