"""The tasks that a session requested, one for each repository, and the panel that shows their state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django_q.models import Task

from gitsync.admin.sync_status import worker_hint
from gitsync.queue.brokers.errors import BrokerAway
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone

MAX_REMEMBERED = 100  # newest tasks of one kind whose result a session can show

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionTasks:
    """The tasks of one kind: their key in the session, the functions they call, how long to wait for a result.

    After `patience` a task without a result is given up: its row may have been deleted.
    """

    key: str
    functions: tuple[str, ...]
    patience: timedelta

    def ask(self, request: HttpRequest, pk: int, enqueue: Callable[[], str]) -> None:
        """Enqueue a task for a repository, replacing its previous task. Add a message if the broker is unavailable.

        `enqueue` returns the task's id. Its exceptions other than BrokerAway are passed on.
        """
        task = enqueued(request, enqueue)
        if task:
            self._remember(request, pk, task)

    def _remember(self, request: HttpRequest, pk: int, task: str) -> None:
        known = request.session.get(self.key, {})
        known.pop(str(pk), None)
        known[str(pk)] = {"task": task, "at": timezone.now().isoformat()}
        request.session[self.key] = dict(list(known.items())[-MAX_REMEMBERED:])

    def asked(self, request: HttpRequest, pk: int) -> bool:
        """Return whether the session has a task for a repository."""
        return str(pk) in request.session.get(self.key, {})

    def result(self, request: HttpRequest, pk: int) -> Task | None:
        """Return the finished task for a repository; None while there is none."""
        asked = request.session.get(self.key, {}).get(str(pk))
        return Task.objects.filter(pk=asked["task"], func__in=self.functions).first() if asked else None

    def is_given_up(self, request: HttpRequest, pk: int) -> bool:
        """Return whether the task was requested longer ago than `patience`."""
        asked = request.session[self.key][str(pk)]
        return timezone.now() - datetime.fromisoformat(asked["at"]) > self.patience


def enqueued(request: HttpRequest, enqueue: Callable[[], str]) -> str:
    """Enqueue a task and return its id. If the broker is unavailable, add a message and return ""."""
    try:
        return enqueue()
    except BrokerAway as exc:
        log.warning("%s", exc.found)
        messages.error(request, str(exc))
        return ""


def panel(tone: Tone, word: str, text: str, *, body: str = "", settled: bool = True) -> dict[str, Any]:
    """Return `{"settled": bool, "parts": {"line": html, "body": html}}`, as sync_status.js expects it."""
    item = {"badge": display.badge(tone, word), "text": text}
    hint = "" if settled else worker_hint()
    line = render_to_string("gitsync/status_line.html", {"items": [item], "hint": hint})
    return {"settled": settled, "parts": {"line": line, "body": body}}


# The panel without a request, or with an outdated result.
NO_PANEL = {"settled": True, "parts": {"line": "", "body": ""}}
