"""Every check, in the order in which they are told."""

from __future__ import annotations

from gitsync.doctor import backlog, declaration, door, engine, machine, secrets, store, work
from gitsync.doctor.finding import Check

CHECKS = (
    Check("database", store.database),
    Check("migrations", store.migrations, needs_database=True),
    Check("clock", store.clock, needs_database=True),
    Check("queue", work.queue, needs_database=True),
    Check("syncs", backlog.syncs, needs_database=True),
    Check("declaration", declaration.declaration, needs_database=True),
    Check("leader", work.leader, needs_database=True),
    Check("workers", work.workers, needs_database=True),
    Check("notices", work.notices, needs_database=True),
    *engine.CHECKS,
    *machine.CHECKS,
    Check("master-key", secrets.master_key, needs_database=True),
    Check("secret-files", secrets.files),
    Check("web", door.web),
)
NAMES = tuple(check.name for check in CHECKS)
