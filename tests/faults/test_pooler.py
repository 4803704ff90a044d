"""A PgBouncer in front of the database: its pool is used up, and kiok reports the limits of the pooler."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections

from gitsync.models import Repository
from gitsync.monitoring.doctor import workers as worker_checks
from gitsync.worker import sandbox
from kiok.checks import CheckStatus
from kiok.server import failures
from tests.faults.team import Team
from tests.support.cluster import eventually, workers
from tests.support.reference.authoring import yaml_file
from tests.support.servers.pgbouncer import PORT, pgbouncer

pytestmark = pytest.mark.django_db(transaction=True)

POOL = 3


def test_behind_a_transaction_pooler_one_process_claims_a_container() -> None:
    """A lock of the session would pass to the next user of the same connection."""
    settings = connections.settings["default"]
    before = {name: settings[name] for name in ("HOST", "PORT")}
    modes = {"pool_mode": "transaction", "default_pool_size": POOL}
    with pgbouncer(str(before["HOST"]), **modes) as pooler, ThreadPoolExecutor(1) as another:
        connections.close_all()
        settings.update(HOST=str(pooler.folder), PORT=str(PORT))
        try:
            with sandbox._claim_lock("a container") as is_ours:
                assert is_ours
                assert another.submit(claims, "another").result()
                assert not another.submit(claims, "a container").result()
            assert another.submit(claims, "a container").result()
            queue = worker_checks.queue()
            assert queue.status is CheckStatus.WARN
            assert "notifications of the database do not arrive" in queue.detail
        finally:
            connections.close_all()
            settings.update(before)


def claims(place: str) -> bool:
    """Return whether a thread with its own connection has the lock."""
    try:
        with sandbox._claim_lock(place) as is_ours:
            return is_ours
    finally:
        connections.close_all()


def test_pushes_are_deployed_behind_a_transaction_pooler(tmp_path: Path, transactional_db: None) -> None:
    team, log = Team("pooled", tmp_path / "served", interval_ms=1000), tmp_path / "log"
    team.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
    server = connection.settings_dict
    modes = {"pool_mode": "transaction", "default_pool_size": POOL, "query_wait_timeout": 2}
    with pgbouncer(str(server["HOST"]), **modes) as pooler:
        url = pooler.url(str(server["NAME"]))
        with workers(
            {"DATABASE_URL": url, "KIOK_GITSYNC_INTERVAL_MS": "1000", "KIOK_WORKERS": "2"}, log_file=log
        ) as cluster:
            team.deploys(30)
            eventually(
                lambda: "PostgreSQL notifications do not arrive" in log.read_text(), 10, "the log says so"
            )
            taken = [psycopg.connect(url) for _ in range(POOL)]
            try:
                for one in taken:
                    one.execute("SELECT 1")  # in a transaction, which stays open
                team.push({"a.yaml": yaml_file({"a": "echo 2"}), "c.yaml": yaml_file({"c": "echo 2"})})
                with pytest.raises(psycopg.OperationalError) as refused, psycopg.connect(url) as another:
                    another.execute("SELECT 1")
                reported = failures.told(refused.value)
                assert reported is not None
                assert "query_wait_timeout" in reported.words[0]
                assert "default_pool_size" in reported.words[0]
                eventually(lambda: "query_wait_timeout" in log.read_text(), 20, "the workers are refused")
                team.serves_as_before_the_last_push()
                assert cluster.poll() is None
            finally:
                for one in taken:
                    one.close()
            team.deploys(40)
    assert not Repository.objects.exclude(lease_holder="").exists()
