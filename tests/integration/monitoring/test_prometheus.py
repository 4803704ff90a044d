"""A real Prometheus, and its tools, on the real `/metrics`."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from gitsync.models import Repository, SyncRun, SyncState, Trigger
from gitsync.tasks import enqueue_sync
from kiok.cluster.leader import take_lead
from kiok.cluster.models import Worker
from tests.integration.conftest import Sync, yaml_dag
from tests.support.cluster import eventually
from tests.support.promtool import (
    BY_THE_SCRAPE,
    RULES,
    alerts,
    dashboard_expressions,
    program,
    promtool,
    selectors,
)
from tests.support.servers.ports import free_port
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def page(work_repo: WorkRepo, repository: Repository, sync: Sync) -> bytes:
    """Return the response to a scrape of a service that has every kind of row."""
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": "dag: {}\n"})
    sync()
    assert take_lead()
    Worker.objects.create(
        name="ant/1", started_at=Now(), seen_at=Now(), engine="", ready=1, data_free_bytes=9
    )
    enqueue_sync(repository.pk, Trigger.SCHEDULE)
    now = timezone.now()
    for state in (SyncState.FAILED, SyncState.ABANDONED):
        SyncRun.objects.create(
            repository=repository, lease_number=1, state=state, started_at=now, finished_at=now
        )
    answer = Client().get("/metrics", headers={"host": "localhost:8000"})
    assert answer.status_code == 200
    return bytes(answer.content)


def test_promtool_finds_no_problem_in_the_page(page: bytes) -> None:
    done = promtool("check", "metrics", sent=page)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_and_label_of_alerts_and_dashboard_is_served(page: bytes) -> None:
    values: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            labels = values.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    named = [*(str(rule["expr"]) for rule in alerts()), *dashboard_expressions()]
    assert len(named) > 40
    for expr in named:
        for name, matchers in selectors(expr):
            assert name in values, expr
            for label, operator, value in matchers:
                assert label in values[name].keys() | BY_THE_SCRAPE, expr
                if operator == "=" and label not in BY_THE_SCRAPE:
                    assert value in values[name][label], (expr, label, value)


def test_a_prometheus_without_the_token_is_refused(
    live_server: LiveServer, settings: Settings, repository: Repository, tmp_path: Path
) -> None:
    """There is no leader, and the repository fails: both alerts become pending within seconds."""
    settings.KIOK_WEB_METRICS_TOKEN = TOKEN
    Repository.objects.update(
        consecutive_failures=3, checked_at=timezone.now(), next_due_at=timezone.now() - timedelta(hours=1)
    )
    token = tmp_path / "token"
    token.write_text(TOKEN)
    target = [{"targets": [live_server.url.removeprefix("http://")]}]
    config = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "kiok", "authorization": {"credentials_file": str(token)}, "static_configs": target},
            {"job_name": "stranger", "static_configs": target},
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    process = subprocess.Popen(
        [
            *(program("prometheus"), f"--config.file={tmp_path}/prometheus.yml"),
            *(f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "log").open("wb"),
    )

    def data_of(path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]
        return {}

    def target_of(job: str) -> dict[str, Any]:
        found = data_of("targets").get("activeTargets", ())
        return next((item for item in found if item["labels"]["job"] == job), {})

    def pending() -> set[str]:
        return {alert["labels"]["alertname"] for alert in data_of("alerts").get("alerts", ())}

    try:
        wanted = {"KiokNoLeader", "KiokNoWorkers", "KiokRepositoryFails", "KiokRepositoryNotPolled"}
        eventually(lambda: pending() >= wanted, 60, "the alerts")
        assert pending() <= wanted
        # A scrape may take longer than its interval on a busy machine; then it counts as down for once.
        eventually(lambda: target_of("kiok").get("health") == "up", 30, lambda: str(target_of("kiok")))
        eventually(lambda: target_of("stranger").get("health") == "down", 30, "the other scrape")
        assert "401" in target_of("stranger")["lastError"]
    finally:
        process.terminate()
        process.wait(timeout=600)
