"""The operations that a session requested, and the panel that shows their state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.template.loader import render_to_string

from gitsync.queue.brokers.errors import BrokerAway
from gitsync.repositories.operation import (
    WORKER_FAILED,
    Operation,
    OperationKind,
    OperationState,
    worker_hint,
)
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone

MAX_REMEMBERED = 1000  # newest operations of one kind whose result a session can show
PATIENCE = timedelta(minutes=15)  # for a result; the row of the task may have been deleted

log = logging.getLogger(__name__)


def start(request: HttpRequest, kind: OperationKind, enqueue: Callable[[], str], repository: int = 0) -> None:
    """Enqueue an operation and remember it. Add a message if the broker is unavailable.

    `enqueue` returns the task's id. Its exceptions other than BrokerAway are passed on.
    """
    try:
        task = enqueue()
    except BrokerAway as exc:
        log.warning("%s", exc.found)
        messages.error(request, str(exc))
    else:
        remember(request, kind, [Operation.of_task(kind, task, repository)])


def remember(request: HttpRequest, kind: OperationKind, operations: Iterable[Operation]) -> None:
    """Store operations in the session. Each replaces the previous one of its repository."""
    known = remembered(request, kind)
    for operation in operations:
        known.pop(operation.repository, None)  # appended as the newest
        known[operation.repository] = operation
    newest = list(known.values())[-MAX_REMEMBERED:]
    request.session[_key(kind)] = [operation.to_json() for operation in newest]


def remembered(request: HttpRequest, kind: OperationKind) -> dict[int, Operation]:
    """Return the session's operations of a kind by repository, oldest first."""
    stored = map(Operation.from_json, request.session.get(_key(kind), []))
    return {operation.repository: operation for operation in stored}


def unfinished(state: OperationState, word: str, text: str, lost: str) -> dict[str, Any]:
    """Return the panel of an operation that is not done: `word` and `text` while it waits, `lost` when it is lost."""
    if state is OperationState.WAITING:
        return panel(Tone.BUSY, word, text, settled=False)
    if state is OperationState.LOST:
        return panel(Tone.IDLE, "No result", lost)
    return panel(Tone.BAD, "No result", WORKER_FAILED)


def panel(tone: Tone, word: str, text: str, *, body: str = "", settled: bool = True) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"line": html, "body": html}}`, as sync_status.js expects it."""
    item = {"badge": display.badge(tone, word), "text": text}
    hint = "" if settled else worker_hint()
    line = render_to_string("gitsync/status_line.html", {"items": [item], "hint": hint})
    return {"settled": settled, "parts": {"line": line, "body": body}}


def _key(kind: OperationKind) -> str:
    return f"gitsync_operations_{kind}"


# The panel without a request, or with an outdated result.
NO_PANEL = {"settled": True, "parts": {"line": "", "body": ""}}
