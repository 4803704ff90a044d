"""What is done beside the work, every now and then: by the leader for the store, by each process for its machine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, connections

from gitsync.models import Leadership
from gitsync.notices import outbox
from gitsync.repositories.declared import DeclarationError, follow_declaration, missing_declaration
from gitsync.retention import Retention, remove_leftover_mirrors
from gitsync.sync import remote
from kiok.cluster.conf import properties

MINUTE = 60.0
HOUR = 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to do every so often; `what` names it where it fails."""

    what: str
    do: Callable[[], object]
    seconds: float = MINUTE


class Housekeeping:
    """Does its duties, one after the other, in a thread that never runs twice; one that fails stops no other."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._due = {duty: time.monotonic() for duty in duties}
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Begin what is due; does not wait for it."""
        now = time.monotonic()
        due = [duty for duty, at in self._due.items() if at <= now]
        if not due or (self._thread and self._thread.is_alive()):
            return
        self._due |= {duty: now + duty.seconds for duty in due}
        self._thread = threading.Thread(target=_do, args=(due,), name="housekeeping", daemon=True)
        self._thread.start()


def of_store() -> Housekeeping:
    """The leader's."""
    for invalid in properties().invalid_repositories:  # as read at the start, so once is enough
        log.error("invalid declaration of a repository: %s", invalid)
    return Housekeeping(
        [
            Duty("taking over declared repositories", _Declaration().follow),
            Duty("clearing away by age", Retention().round),
            Duty("seeing to the notices that wait", outbox.wake_if_due),
            Duty("forgetting notices of long ago", outbox.forget),
        ]
    )


def of_machine() -> Housekeeping:
    """Of every process that may lead: a leader elsewhere cannot see this machine's disk."""
    return Housekeeping(
        [
            Duty("sweeping up what killed processes left", remote.sweep),
            Duty("removing mirrors that are left over", remove_leftover_mirrors, HOUR),
        ]
    )


def _do(duties: Sequence[Duty]) -> None:
    try:
        for duty in duties:
            try:
                duty.do()
            except DatabaseError as exc:
                log.warning("%s failed: %s", duty.what, exc)
            except Exception:  # the next round tries again; what else there is to do must go on
                log.exception("%s failed", duty.what)
    finally:
        connections.close_all()


class _Declaration:
    """The declared repositories, followed once a minute. The leader's row has why they are not, for the pages."""

    def __init__(self) -> None:
        self._logged = ""

    def follow(self) -> None:
        """Follow the declaration. A problem is logged once, and again when it is another one."""
        try:
            follow_declaration()
            problem = missing_declaration()
        except DeclarationError as exc:
            problem = str(exc)
        if problem and problem != self._logged:
            log.error("the declaration of repositories is not followed: %s", problem)
        self._logged = problem
        changed = Leadership.objects.filter(pk=1).exclude(declaration_problem=problem)
        changed.update(declaration_problem=problem)
