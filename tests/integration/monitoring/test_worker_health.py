"""The health check of a worker's container: a worker of this host that was alive lately, and none but that."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from kiok.cluster.models import Worker
from kiok.cluster.process_id import process_name
from kiok.server import worker_health
from tests.support.environment import url_of

HOST = socket.gethostname()


@pytest.fixture
def url(transactional_db: None) -> str:
    """Return the URL of the test's database."""
    return url_of(connection.settings_dict["NAME"])


def seen(name: str, seconds_ago: float) -> None:
    Worker.objects.create(name=name, started_at=Now(), seen_at=Now() - timedelta(seconds=seconds_ago))


def test_a_worker_with_a_recent_heartbeat_is_healthy(url: str) -> None:
    seen(process_name(), 1)
    assert worker_health.problem(url, HOST) == ""


def test_a_silent_worker_is_unhealthy_whatever_another_host_reports(url: str) -> None:
    seen(process_name(), worker_health.ALIVE_SECONDS + 1)
    seen(process_name().replace(HOST, f"{HOST}-2", 1), 1)
    assert worker_health.problem(url, HOST) == f"no worker on {HOST} sent a heartbeat in the last 15 s"


def test_a_worker_without_database_is_unhealthy_and_shows_no_password(tmp_path: str) -> None:
    output = worker_health.problem(f"postgresql://u:hunter2@/n?host={tmp_path}", HOST)
    assert output == "the database does not answer: OperationalError"
    assert "DATABASE_URL is not set" in worker_health.problem(None, HOST)
