"""Faults of the database: a crash, a full disk, no free connection, a lock. No sync is lost or applied in part."""

from __future__ import annotations

import secrets
import time

from gitsync.models import SyncRun
from kiok.cluster.clock import database_now
from tests.faults.interruption import Interruption
from tests.faults.service import Service
from tests.faults.team import NewTeam
from tests.support.cluster import eventually
from tests.support.reference.authoring import yaml_file

INTERVAL_MS = 10_000
INTERVAL_SECONDS = INTERVAL_MS / 1000


def test_a_database_crash_during_apply_keeps_the_old_commit_then_the_new(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("crashed", interval_ms=INTERVAL_MS)
    team.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
    team.deploys()
    with service.apply_held_up():
        team.push({"a.yaml": yaml_file({"a": "echo 2"}), "c.yaml": yaml_file({"c": "echo 2"})})
        eventually(lambda: service.holds_up(team), 20, "it applies")
        crashed = Interruption.of(team, "apply")
        service.server.stop_at_once()
    time.sleep(2)  # long enough for every process to notice
    service.server.start()
    back = database_now()
    team.serves_as_before_the_last_push()
    eventually(service.leader, 10, "there is a leader")
    crashed.is_followed(begun_within_seconds=2 * INTERVAL_SECONDS, since=back)


def test_a_database_that_takes_no_connection_loses_nothing(service: Service, new_team: NewTeam) -> None:
    team = new_team("crowded-out", interval_ms=INTERVAL_MS)
    team.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
    team.deploys()
    others = service.server.take_all_connections()
    try:
        team.push({"a.yaml": yaml_file({"a": "echo 2"})})
        until = time.monotonic() + INTERVAL_SECONDS + 2
        while time.monotonic() < until:
            others += service.server.take_all_connections()
            time.sleep(0.2)
        team.serves_as_before_the_last_push()
    finally:
        for connection in others:
            connection.close()
    eventually(service.leader, 10, "there is a leader")
    team.deploys()


def test_workers_wait_for_a_migration_that_locks_their_tables(service: Service, new_team: NewTeam) -> None:
    team = new_team("migrated", interval_ms=1000)
    team.push({"a.yaml": yaml_file({"a": "echo 1"})})
    team.deploys()
    with service.server.connect() as connection:
        with connection.transaction():
            for table in ("gitsync_repository", "gitsync_syncrun", "metadata_dag", "metadata_dagversion"):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN later integer DEFAULT 7")
            team.push({"a.yaml": yaml_file({"a": "echo 2"}), "b.yaml": yaml_file({"b": "echo 2"})})
            time.sleep(8)
        team.deploys()
        for table in ("gitsync_repository", "gitsync_syncrun", "metadata_dag", "metadata_dagversion"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN later")
    team.push({"b.yaml": yaml_file({"b": "echo 3"})})
    team.deploys()


def test_a_full_disk_of_the_database_fails_the_sync_with_a_remedy(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("no-room", interval_ms=1000)
    team.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
    team.deploys()
    with service.server.connect() as connection:
        connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
    service.server.disk.fill()
    try:
        # More than the free places in the tables' files hold.
        long = {
            f"d{number}.yaml": yaml_file({f"d{number}": secrets.token_hex(200_000)}) for number in range(8)
        }
        team.push(long)
        eventually(lambda: team.row.reason == "disk_full", 30, "the reason is stored")
        assert "database" in team.row.message
        assert SyncRun.objects.filter(repository=team.pk, state="failed", reason="disk_full").exists()
        team.serves_as_before_the_last_push()
    finally:
        service.server.disk.make_room()
    team.deploys()
