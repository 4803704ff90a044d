"""Table of all checks, in the order of the output."""

from __future__ import annotations

from gitsync.monitoring.doctor import backlog, database, declaration, engine, host, secrets, web, workers
from gitsync.monitoring.doctor.check import Check

CHECKS = (
    Check("database", database.database),
    Check("migrations", database.migrations, needs_database=True),
    Check("clock", database.clock, needs_database=True),
    Check("queue", workers.queue, needs_database=True),
    Check("syncs", backlog.syncs, needs_database=True),
    Check("declaration", declaration.declaration, needs_database=True),
    Check("leader", workers.leader, needs_database=True),
    Check("workers", workers.workers, needs_database=True),
    Check("notices", workers.notices, needs_database=True),
    *engine.CHECKS,
    *host.CHECKS,
    Check("master-key", secrets.master_key, needs_database=True),
    Check("secret-files", secrets.files),
    Check("web", web.web),
)
NAMES = tuple(check.name for check in CHECKS)
