"""A push is deployed by its webhook: with the real web server and workers."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from gitsync.models import Repository, SyncRun, Trigger
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support import git_services
from tests.support.cluster import eventually, workers
from tests.support.git_services import Sender
from tests.support.hooks import MAIN, SECRET
from tests.support.servers.ports import free_port
from tests.support.servers.repositories import WorkRepo
from tests.support.web_server import web_server

pytestmark = pytest.mark.django_db(transaction=True)


def _post(address: str, sender: Sender, delivery: git_services.Delivery, identity: str) -> tuple[int, str]:
    headers = sender.headers(delivery.event, identity, delivery.body, SECRET)
    request = urllib.request.Request(
        f"{address}/hooks/team/", delivery.body, {**headers, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return answer.status, json.load(answer)["outcome"]


def test_a_push_is_deployed_by_its_webhook_and_a_deletion_is_noticed(
    work_repo: WorkRepo, hooked: Repository, tmp_path: Path
) -> None:
    """And each line that web server and workers write is an object, those of one delivery under one id."""
    Repository.objects.update(url=work_repo.file_url)
    sender = git_services.GITEA
    web_log, worker_log = tmp_path / "web.log", tmp_path / "worker.log"
    # There is no leader, so that nothing else requests a sync.
    properties = {"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "2", "KIOK_LOG_FORMAT": "json"}
    with (
        web_server(free_port(), web_log, KIOK_LOG_FORMAT="json") as address,
        workers(properties, log_file=worker_log),
    ):
        work_repo.publish({"a.yaml": yaml_dag("a")})
        assert _post(address, sender, sender.push(MAIN), "1") == (202, "queued")
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml", version=1), 30, "the DAG")
        eventually(lambda: Repository.objects.get().lease_holder == "", 10, "the end of the sync")

        work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
        assert _post(address, sender, sender.push(MAIN), "1") == (200, "replay")
        assert _post(address, sender, sender.push(MAIN), "2") == (202, "queued")
        eventually(lambda: Dag.objects.filter(version=2), 30, "the new version")

        work_repo.git("--git-dir", str(work_repo.bare), "config", "receive.denyDeleteCurrent", "ignore")
        work_repo.push(":refs/heads/main")
        assert _post(address, sender, sender.deletion(MAIN), "3")[0] == 202
        eventually(lambda: Repository.objects.get().reason == "ref_missing", 30, "the missing ref noticed")
    assert Dag.objects.filter(uid="team/a.yaml").exists()
    triggers = set(SyncRun.objects.values_list("trigger", "requested_by"))
    assert triggers == {(str(Trigger.WEBHOOK), "gitea")}
    assert set(SyncRun.objects.values_list("correlation_id", flat=True)) == {"1", "2", "3"}
    for log, output in ((web_log, "webhook for team"), (worker_log, "synced team to")):
        events = [json.loads(line) for line in log.read_text().splitlines()]
        ids = {event.get("correlation_id") for event in events if event["event"].startswith(output)}
        assert ids >= {"1", "2"}
