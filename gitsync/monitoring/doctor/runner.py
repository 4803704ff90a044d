"""Runner of the checks, and their table in the order of the output.

They run concurrently, each in its own thread, so that a hanging check does not block the others.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from gitsync.git.errors import GitReason
from gitsync.monitoring.doctor import database, engine, host, secrets, web, workers
from gitsync.monitoring.doctor.check import Check, fail, warn
from gitsync.remedies import REMEDIES
from kiok.checks import CheckResult
from kiok.errors import KiokError
from kiok.notifications.content import redacted_line

LIMIT_SECONDS = 15.0  # more than the 10 s time limit of a database connection
MAX_CHARACTERS = 500

CHECKS = (
    Check("database", database.database),
    Check("migrations", database.migrations, needs_database=True),
    Check("clock", database.clock, needs_database=True),
    Check("queue", workers.queue, needs_database=True),
    Check("syncs", workers.syncs, needs_database=True),
    Check("declaration", workers.declaration, needs_database=True),
    Check("leader", workers.leader, needs_database=True),
    Check("workers", workers.workers, needs_database=True),
    Check("notices", workers.notifications, needs_database=True),
    *engine.CHECKS,
    *host.CHECKS,
    Check("master-key", secrets.master_key, needs_database=True),
    Check("secret-files", secrets.files),
    Check("web", web.web),
)
NAMES = tuple(check.name for check in CHECKS)


def examine(checks: Sequence[Check], limit_seconds: float = LIMIT_SECONDS) -> list[CheckResult]:
    """Run the checks within the time limit and return their results in order. Exceptions of checks become results."""
    threads = [_CheckThread(check) for check in checks]
    for thread in threads:
        thread.start()
    until = time.monotonic() + limit_seconds
    results = []
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        result = thread.result or fail(
            f"no result within {limit_seconds:g} s",
            "Find out what does not respond: the server, the engine or the disk.",
        )
        clean = redacted_line(result.detail, MAX_CHARACTERS)
        results.append(replace(result, name=thread.check.name, detail=clean))
    return results


class _CheckThread(threading.Thread):
    """A daemon thread, so that a hanging check does not prevent the process from exiting."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=f"doctor-{check.name}", daemon=True)
        self.check = check
        self.result: CheckResult | None = None

    def run(self) -> None:
        try:
            self.result = self._look()
        finally:
            connections.close_all()

    def _look(self) -> CheckResult:
        try:
            return self.check.look()
        except (OperationalError, InterfaceError) as exc:
            if self.check.needs_database:
                return warn("unknown while the database does not respond", "See the check `database`.")
            return fail(f"the database does not respond: {exc}", "See the check `database`.")
        except DatabaseError as exc:
            return warn(
                f"unknown: {str(exc).partition(chr(10))[0]}",
                "See the check `migrations`: the tables are not those of this version.",
            )
        except KiokError as exc:
            return fail(str(exc), "Do what the message says.")
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                return fail(f"no space left: {exc}", REMEDIES[GitReason.DISK_FULL])
            return fail(str(exc), "Check that this file or folder exists and is accessible.")
        except Exception as exc:  # noqa: BLE001 - an error of a check is reported in its line
            return fail(f"the check itself failed: {type(exc).__name__}: {exc}", "Report this bug.")
