"""What a worker was asked for in this session, one task for each repository, and the panel that shows how it stands."""

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

MAX_REMEMBERED = 100
"""Tasks of one sort whose result a session can show: the newest ones."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionTasks:
    """Tasks of one sort: where the session has them, the functions they call, how long one may be without a result.

    After `patience` a task without result is given up: it may have been swept away.
    """

    key: str
    functions: tuple[str, ...]
    patience: timedelta

    def ask(self, request: HttpRequest, pk: int, enqueue: Callable[[], str]) -> None:
        """Have a worker do it for a repository, in the place of the task before; a broker that is away is told of.

        `enqueue` returns the task's id; what it raises but BrokerAway is raised.
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
        """Whether there is any for a repository."""
        return str(pk) in request.session.get(self.key, {})

    def result(self, request: HttpRequest, pk: int) -> Task | None:
        """The ended task for a repository; None while there is none."""
        asked = request.session.get(self.key, {}).get(str(pk))
        return Task.objects.filter(pk=asked["task"], func__in=self.functions).first() if asked else None

    def is_given_up(self, request: HttpRequest, pk: int) -> bool:
        """Whether it has been asked for too long ago to wait any longer."""
        asked = request.session[self.key][str(pk)]
        return timezone.now() - datetime.fromisoformat(asked["at"]) > self.patience


def enqueued(request: HttpRequest, enqueue: Callable[[], str]) -> str:
    """The id of the task that this enqueues; "" where the broker is away, which the page then says."""
    try:
        return enqueue()
    except BrokerAway as exc:
        log.warning("%s", exc.found)
        messages.error(request, str(exc))
        return ""


def panel(tone: Tone, word: str, text: str, *, body: str = "", settled: bool = True) -> dict[str, Any]:
    """`{"settled": bool, "parts": {"line": html, "body": html}}`, as sync_status.js takes it."""
    item = {"badge": display.badge(tone, word), "text": text}
    hint = "" if settled else worker_hint()
    line = render_to_string("gitsync/status_line.html", {"items": [item], "hint": hint})
    return {"settled": settled, "parts": {"line": line, "body": body}}


NO_PANEL = {"settled": True, "parts": {"line": "", "body": ""}}
"""Where nothing was asked for, or what was found is out of date."""
