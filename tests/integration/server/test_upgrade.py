"""Upgrades: the database of every released version works with this version.

`dumps/` has the database of each, made by its own code (scripts/release_dump.py) as a part of the release.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from gitsync.models import Repository, Trigger
from gitsync.retention import Retention
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion
from kiok.notifications import outbox
from kiok.notifications.models import Notification, NotificationChannel
from kiok.server import postgresql_programs
from tests.support import admin_pages, admin_rows
from tests.support.environment import url_of
from tests.support.fresh_database import all_columns, all_rows, fresh_database, read
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[3]
DUMPS = sorted((Path(__file__).parents[1] / "dumps").glob("*.sql"))
# Django's own records of what models there are, and the roles that a migration makes.
GROWING = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}
# Columns that went by intent: `test_an_upgrade_keeps_images_and_configuration_hashes`.
DROPPED = {"gitsync_repository": ["image_python", "image_java"]}
# Columns that have another name now.
RENAMED = {
    "gitsync_repository": {"follow_up": "pending_request", "judgement": "last_outcome"},
    "gitsync_sourcefile": {"questions": "traced_accesses"},
}
# Rewriting these may take minutes, in which they are locked.
LARGE = {
    *("gitsync_syncrun", "gitsync_sourcefile", "gitsync_delivery", "gitsync_repository"),
    *("metadata_dag", "metadata_dagversion", "metadata_dagrun", "metadata_taskrun", "connections_connection"),
}


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def released(request: pytest.FixtureRequest) -> Iterator[str]:
    """The database as the released version left it; the name of the tests' own."""
    with fresh_database() as own:
        command = [
            postgresql_programs.folder() / "psql",
            "--quiet",
            "--no-psqlrc",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
        ]
        subprocess.run([*command, f"--file={request.param}", url_of("fresh")], check=True)
        yield own


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_a_dump_sets_only_what_older_servers_know(dump: Path) -> None:
    assert "transaction_timeout" not in dump.read_text(encoding="utf-8")  # since PostgreSQL 17


def upgrade() -> None:
    call_command("migrate", interactive=False, verbosity=0)


def schema(at: Any) -> list[str]:
    """Columns, indexes and constraints of all tables, by a cursor; less the casts and brackets that a reload adds."""
    found = [
        *read(
            at,
            """SELECT table_name, column_name, data_type, character_maximum_length::text, is_nullable, column_default,
            generation_expression FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
        ),
        *read(
            at,
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        ),
        *read(
            at,
            """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
        ),
        *read(at, "SELECT DISTINCT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"),
    ]
    return [re.sub(r"::[a-z ]+(\[\])?|[()]", "", " ".join(map(str, row))) for row in found]


def files() -> dict[str, str]:
    """Return the file of each table. It is another one after the table was rewritten."""
    return dict(
        read(
            connection.cursor(),
            "SELECT relname, pg_relation_filenode(oid)::text FROM pg_class WHERE relkind = 'r'",
        )
    )


def test_there_is_a_dump_of_every_released_version() -> None:
    released = re.findall(
        r"^## \[(\d.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(released) == sorted(path.stem for path in DUMPS), "scripts/release_dump.py makes it"


def test_an_upgrade_migrates_the_tables_and_loses_no_row(released: str) -> None:
    before_columns = {
        table: [column for column in columns if column not in DROPPED.get(table, ())]
        for table, columns in all_columns().items()
    }
    before, before_files = all_rows(before_columns), files()
    assert all(before.values()), "the dump has rows of every table"
    upgrade()
    expected = {
        table: [RENAMED.get(table, {}).get(column, column) for column in columns]
        for table, columns in before_columns.items()
    }
    kept = {
        table: [column for column in columns if column in all_columns().get(table, [])]
        for table, columns in expected.items()
    }
    assert kept == expected, "where a column goes by intent, say here what became of its values"
    migrated = all_rows(kept)
    after = dict(migrated)
    for table, rows in before.items():
        if table in GROWING:  # a model that moved or got another name keeps the key of its record
            rows, after[table] = (
                sorted(row.partition(",")[0] for row in part) for part in (rows, after[table])
            )
        assert set(rows) <= set(after[table]) if table in GROWING else rows == after[table], table
    after_files = files()
    assert {table for table in LARGE if after_files[table] != before_files[table]} == set()
    upgraded = schema(connection.cursor())
    with psycopg.connect(url_of(released)) as again:
        assert upgraded == schema(again.cursor()), "new tables differ from upgraded ones"
    upgrade()
    assert (schema(connection.cursor()), all_rows(kept)) == (upgraded, migrated), (
        "to migrate again changes nothing"
    )


def test_an_upgrade_keeps_images_and_configuration_hashes(released: str) -> None:
    """A repository whose hash changed would be compiled completely after the upgrade."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE gitsync_repository SET image_python = 'team:1' WHERE id % 3 = 1")
        cursor.execute("UPDATE gitsync_repository SET image_java = 'team:2' WHERE id % 2 = 1")
        before = read(
            cursor,
            """SELECT r.id, image_python, image_java, k.updated_at, name, url, ref, subpath, include, verify,
            verify_keys_id, credential_id, enabled, paused_at IS NOT NULL
            FROM gitsync_repository r LEFT JOIN connections_connection k ON k.id = r.verify_keys_id""",
        )
    upgrade()
    rows = Repository.objects.in_bulk()
    for pk, python, java, keys_updated_at, *location, keys, credential, enabled, is_paused in before:
        images = {name: image for name, image in (("python", python), ("jar", java)) if image}
        values = [*location, keys, keys_updated_at and keys_updated_at.isoformat(), credential]
        digest = hashlib.sha256(json.dumps([*values, python, java, enabled, is_paused]).encode()).hexdigest()
        assert (rows[pk].images, rows[pk].config_hash) == (images, digest)
    assert {len(row.images) for row in rows.values()} == {0, 1, 2}


def test_after_an_upgrade_secrets_history_and_syncs_work(released: str, work_repo: WorkRepo) -> None:
    upgrade()
    assert Connection.objects.get(pk="deploy").properties()["password"] == "a secret of the tests"
    team = Repository.objects.get(name="team")
    commit = work_repo.publish(
        {
            f"dags/{name}.yaml": f"dag:\n  id: {name}\ntasks:\n- id: a\n  script: echo 3\n"
            for name in ("a", "gone")
        }
    )
    Repository.objects.filter(pk=team.pk).update(url=work_repo.file_url, credential=None)
    report = sync_repository(team.pk, SyncOptions(trigger=Trigger.COMMAND, wait=True))
    assert report.ok, report.message
    assert (report.created, report.updated, report.pruned) == (
        ("team/dags/gone.yaml",),
        ("team/dags/a.yaml",),
        ("team/dags/same.yaml",),
    )
    versions = dict(Dag.objects.filter(repository="team").values_list("source_path", "version"))
    assert versions == {"dags/a.yaml": 3, "dags/gone.yaml": 2}
    assert set(Dag.objects.filter(repository="team").values_list("commit_sha", flat=True)) == {commit}
    assert DagVersion.objects.filter(uid="team/dags/same.yaml").count() == 1
    assert sorted(DagRun.objects.filter(repository="team").values_list("uid", "version", "state")) == [
        ("team/dags/a.yaml", 1, "SUCCESS"),
        ("team/dags/a.yaml", 2, "FAILED"),
        ("team/dags/gone.yaml", 1, "SUCCESS"),
    ]


def test_after_an_upgrade_repositories_and_dags_have_no_owner_and_no_tags(released: str) -> None:
    upgrade()
    dags = list(Dag.objects.values_list("owner", "tags"))
    owners = list(Repository.objects.values_list("owner", flat=True))
    assert (set(owners), [("", [])] * len(dags)) == ({""}, dags)
    assert dags


def test_notifications_keep_rows_permissions_and_audit_entries(released: str) -> None:
    before = ("gitsync", "0013_images")
    call_command("migrate", *before, interactive=False, verbosity=0)
    old = MigrationExecutor(connection).loader.project_state(before).apps
    on_call = Group.objects.create(name="on call")
    moved = Permission.objects.filter(
        content_type__app_label="gitsync",
        content_type__model__in=("notice", "noticedelivery", "noticereceiver"),
    )
    keys = sorted(moved.values_list("pk", flat=True))
    assert len(keys) == 12
    on_call.permissions.set(moved)
    channel = old.get_model("gitsync", "NoticeReceiver").objects.create(name="hook", url="https://x.invalid/")
    team = Repository.objects.values_list("pk", flat=True).get(name="team")
    kind = ContentType.objects.get(app_label="gitsync", model="noticereceiver")
    ada = User.objects.create_user("ada")
    entry = LogEntry.objects.create(
        user=ada, content_type=kind, object_id=channel.pk, object_repr="hook", action_flag=ADDITION
    )
    channel.groups.add(on_call.pk)
    channel.repositories.add(team)
    notice = old.get_model("gitsync", "Notice").objects.create(
        repository_id=team, event="failing", at="2026-01-02T03:04:05Z"
    )
    old.get_model("gitsync", "NoticeDelivery").objects.create(notice=notice, receiver=channel)
    upgrade()
    held = on_call.permissions.order_by("codename")
    assert sorted(held.values_list("pk", flat=True)) == keys
    assert list(held.values_list("content_type__app_label", "codename", "name")) == [
        ("notifications", f"{action}_{name.replace(' ', '')}", f"Can {action} {name}")
        for action in ("add", "change", "delete", "view")
        for name in ("notification", "notification channel", "notification delivery")
    ]
    assert not moved.all().exists()
    found = NotificationChannel.objects.get()
    assert (found.groups.get(), found.repositories.get().pk) == (on_call, team)
    entry.refresh_from_db()
    assert entry.content_type.model_class() is NotificationChannel
    assert entry.get_edited_object() == found
    delivery = found.deliveries.get()
    assert (delivery.notification.uid, delivery.notification.repository_id) == (notice.uid, team)
    assert list(outbox.channels_of(team)) == [found]
    found.repositories.set([])
    found.groups.remove(on_call)
    assert not outbox.channels_of(team).exists()
    Repository.objects.get(pk=team).delete()
    assert not Notification.objects.exists()


def test_after_an_upgrade_every_page_shows_the_rows_and_old_ones_expire(
    released: str,
) -> None:
    upgrade()
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    keys = admin_rows.keys()
    pages = admin_pages.pages(
        lambda model: keys[model._meta.label], {"name": "r00001", "uid": keys["metadata.Dag"]}
    )
    answered = {page.address: client.get(page.address).status_code for page in pages}
    assert len(answered) > 40
    assert {
        page: status for page, status in answered.items() if status not in (200, 302, 403, 404, 405)
    } == {}
    assert Retention().round()["sessions"] == 1
