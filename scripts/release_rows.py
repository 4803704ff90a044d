"""Fill the database of a release (scripts/release_dump.py) with that release's own code: `release_rows.py FOLDER`.

It adds a few rows to every table: some of each kind that the admin shows, and a repository `team` that was synced twice,
with a DAG at version 2 that has runs, a deleted DAG, and a credential. FOLDER is for its git repository.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

SERVED_AT = (
    "file:///srv/git/dags.git"  # url of the repository in the dump; a test that syncs it sets another one
)
DAG = "dag:\n  id: {name}\ntasks:\n- id: a\n  script: echo {word}\n"


def main(folder: Path) -> None:
    """Add the rows. Raises SystemExit if a table has no row."""
    import django

    django.setup()
    from tests.support.admin_rows import Amounts, fill

    few = Amounts(
        repositories=4, dags=4, versions=8, runs=6, syncs=6, files=6, deliveries=6, connections=2, tasks=4
    )
    fill(few)
    _synced(folder)
    _others()
    if empty := _empty_tables():
        raise SystemExit(f"these tables have no row, extend scripts/release_rows.py: {', '.join(empty)}")


def _synced(folder: Path) -> None:
    from gitsync.models import Repository, Trigger
    from gitsync.sync.run import SyncOptions, sync_repository
    from kiok.connections.models import Connection
    from kiok.metadata.models import DagRun
    from tests.support.servers.repositories import WorkRepo

    credential = Connection(id="deploy", type="git", description="Opens team.")
    credential.set_properties({"username": "deploy", "password": "a secret of the tests"})
    served = WorkRepo(folder / "served")
    team = Repository.objects.create(name="team", url=served.file_url, subpath="dags")
    first = {f"dags/{name}.yaml": DAG.format(name=name, word=1) for name in ("a", "gone", "same")}
    for change in (first, {"dags/a.yaml": DAG.format(name="a", word=2)}):
        if change is not first:
            served.git("rm", "-q", "dags/gone.yaml")
        served.publish(dict(change))
        report = sync_repository(team.pk, SyncOptions(trigger=Trigger.COMMAND, wait=True))
        if not report.ok:
            raise SystemExit(report.message)
    for uid, version, state in (("a", 1, "SUCCESS"), ("a", 2, "FAILED"), ("gone", 1, "SUCCESS")):
        DagRun.objects.create(uid=f"team/dags/{uid}.yaml", version=version, trigger="manual", state=state)
    Repository.objects.filter(pk=team.pk).update(url=SERVED_AT, credential=credential)


def _others() -> None:
    """Fill the tables that syncs and the admin's rows leave empty."""
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.sessions.models import Session
    from django.utils import timezone
    from django_q.models import OrmQ

    from gitsync.models import Repository
    from kiok.cluster.models import Worker

    now = timezone.now()
    group, user = Group.objects.get(name="team"), User.objects.get()
    permission = Permission.objects.all()[0]
    Repository.objects.get(name="team").groups.add(group)
    group.permissions.add(permission)
    user.user_permissions.add(permission)
    Session.objects.create(session_key="0" * 32, session_data="", expire_date=now - timedelta(days=1))
    OrmQ.objects.create(key="kiok", payload="no task", lock=now)
    Worker.objects.create(name="host/boot/1/1", started_at=now, seen_at=now)


def _empty_tables() -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        return [
            name
            for name in connection.introspection.table_names(cursor)
            if not _has_row(cursor, connection.ops.quote_name(name))
        ]


def _has_row(cursor: object, table: str) -> bool:
    cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # type: ignore[attr-defined]  # noqa: S608 - a table's name
    return cursor.fetchone() is not None  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
