"""The database, its tables, its clock."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from gitsync.monitoring.doctor.finding import CheckResult, fail, ok, warn

MINIMUM_VERSION = 14
"""Of PostgreSQL, as Django 5.2 supports it."""
CLOCK_WARN_SECONDS = 2.0
CLOCK_FAIL_SECONDS = 30.0
_CLOCK = "Have one time service (NTP, chrony) keep the clocks of this machine and of the database's."


def database() -> CheckResult:
    """Whether it answers, and which it is. Nothing of `DATABASE_URL` is shown."""
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
            else "Start the server, or correct DATABASE_URL: host, port, name, user, password."
        )
        return fail(f"the database ({kind}) does not answer: {exc}", remedy)
    found = f"PostgreSQL {version.partition(' ')[0]}, {size_bytes / 2**20:.0f} MiB, {kind}"
    if major < MINIMUM_VERSION:
        return fail(found, f"Upgrade it: {MINIMUM_VERSION} is the oldest that serves.")
    if is_standby:
        return fail(f"{found}; a standby, which takes no writes", "Name the primary in DATABASE_URL.")
    return ok(found)


def migrations() -> CheckResult:
    """Whether the tables are those of this version."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        first = pending[0][0]
        return fail(
            f"{len(pending)} not applied, the first is {first.app_label}.{first.name}",
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
            f"the database is of a newer version: {', '.join(sorted(newer)[:3])}",
            "Bring this machine to that version.",
        )
    return ok("all applied")


def clock() -> CheckResult:
    """This machine's against the database's, to within half of what asking takes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # connects
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
        after = timezone.now()
    return judged_clock((before + (after - before) / 2 - theirs).total_seconds())


def judged_clock(ahead_seconds: float) -> CheckResult:
    """What it means that this machine is so far ahead of the database."""
    off = abs(ahead_seconds)
    if off < CLOCK_WARN_SECONDS:
        return ok(f"{off * 1000:.0f} ms off the database's")
    found = f"{off:.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} the database's"
    return fail(found, _CLOCK) if off >= CLOCK_FAIL_SECONDS else warn(found, _CLOCK)
