"""Checks of the database, its migrations and its clock."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from gitsync.monitoring.doctor.check import fail, ok, warn
from kiok.checks import CheckResult

MINIMUM_VERSION = 14  # the oldest PostgreSQL that Django 5.2 supports
CLOCK_WARN_SECONDS = 2.0
CLOCK_FAIL_SECONDS = 30.0
_CLOCK = (
    "Synchronize the clocks of this machine and of the database server with one time service (NTP, chrony)."
)


def database() -> CheckResult:
    """Check that the database responds, and report its version. Nothing of `DATABASE_URL` is shown."""
    kind = "embedded" if settings.KIOK_EMBEDDED else "given by DATABASE_URL"
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,"
                " pg_database_size(current_database()), pg_is_in_recovery()"
            )
            version, major, size_bytes, is_standby = cursor.fetchone()
    except DatabaseError as exc:
        remedy = (
            "Read postgres/server.log under kiok.base.data.dir."
            if settings.KIOK_EMBEDDED
            else "Start the server, or correct host, port, name, user or password in DATABASE_URL."
        )
        return fail(f"the database ({kind}) does not respond: {exc}", remedy)
    found = f"PostgreSQL {version.partition(' ')[0]}, {size_bytes / 2**20:.0f} MiB, {kind}"
    if major < MINIMUM_VERSION:
        return fail(found, f"Upgrade PostgreSQL: {MINIMUM_VERSION} is the oldest supported version.")
    if is_standby:
        return fail(f"{found}; a standby, which is read-only", "Set DATABASE_URL to the primary.")
    return ok(found)


def migrations() -> CheckResult:
    """Check that the tables are those of this version."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        first = pending[0][0]
        return fail(
            f"{len(pending)} migrations are not applied, the first is {first.app_label}.{first.name}",
            "Run `manage.py migrate`.",
        )
    known = {app for app, _ in executor.loader.disk_migrations}
    newer = [
        f"{app}.{name}"
        for app, name in executor.loader.applied_migrations
        if app in known and (app, name) not in executor.loader.disk_migrations
    ]
    if newer:
        return fail(
            f"the database belongs to a newer version: {', '.join(sorted(newer)[:3])}",
            "Upgrade this machine to that version.",
        )
    return ok("all migrations are applied")


def clock() -> CheckResult:
    """Compare this machine's clock with the database's. The error is at most half the duration of the query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # connects
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
        after = timezone.now()
    return judged_clock((before + (after - before) / 2 - theirs).total_seconds())


def judged_clock(ahead_seconds: float) -> CheckResult:
    """Return the finding for a machine whose clock is ahead of the database's by so many seconds."""
    off = abs(ahead_seconds)
    if off < CLOCK_WARN_SECONDS:
        return ok(f"{off * 1000:.0f} ms difference to the database's clock")
    found = f"{off:.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} the database's clock"
    return fail(found, _CLOCK) if off >= CLOCK_FAIL_SECONDS else warn(found, _CLOCK)
