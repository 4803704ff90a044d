"""Runs checks side by side, each in a thread of its own: one that fails or hangs stops no other."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from gitsync.git.errors import GitReason
from gitsync.monitoring.doctor.finding import Check, CheckResult, fail, warn
from gitsync.notices.content import printable
from gitsync.remedies import REMEDIES
from kiok.errors import KiokError

LIMIT_SECONDS = 15.0
"""More than a connection to the database may take, which is given up after 10 s."""
MAX_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Examined:
    """A check and what it found."""

    name: str
    finding: CheckResult

    def to_json(self) -> dict[str, str]:
        return {
            "name": self.name,
            "status": self.finding.status.value,
            "found": self.finding.found,
            "remedy": self.finding.remedy,
        }


def examine(checks: Sequence[Check], limit_seconds: float = LIMIT_SECONDS) -> list[Examined]:
    """What each check finds, in their order; takes no longer than the limit. Raises nothing of theirs."""
    threads = [_CheckThread(check) for check in checks]
    for thread in threads:
        thread.start()
    until = time.monotonic() + limit_seconds
    examined = []
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        found = thread.finding or fail(
            f"no answer within {limit_seconds:g} s",
            "See what it waits for: the server, the engine or the disk.",
        )
        clean = CheckResult(found.status, printable(found.found, MAX_CHARACTERS), found.remedy)
        examined.append(Examined(thread.check.name, clean))
    return examined


class _CheckThread(threading.Thread):
    """A daemon thread: one that hangs must not hold up the end of the process either."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=f"doctor-{check.name}", daemon=True)
        self.check = check
        self.finding: CheckResult | None = None

    def run(self) -> None:
        try:
            self.finding = self._look()
        finally:
            connections.close_all()

    def _look(self) -> CheckResult:
        try:
            return self.check.look()
        except (OperationalError, InterfaceError) as exc:
            if self.check.needs_database:
                return warn("cannot be told while the database does not answer", "See database.")
            return fail(f"the database does not answer: {exc}", "See database.")
        except DatabaseError as exc:
            return warn(
                f"cannot be told: {str(exc).partition(chr(10))[0]}",
                "See migrations: the tables are not those of this version.",
            )
        except KiokError as exc:
            return fail(str(exc), "The message says what to do.")
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                return fail(f"no space left: {exc}", REMEDIES[GitReason.DISK_FULL])
            return fail(str(exc), "See whether this file or folder can be used.")
        except Exception as exc:  # noqa: BLE001 - a fault of one check is told in its line, with what it was
            return fail(f"the check itself failed: {type(exc).__name__}: {exc}", "Report it.")
