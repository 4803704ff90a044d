"""Workers on several machines share the database, and nothing else; a Redis between them may stop and start.

A machine is a cluster with its own host name, data folder and engine, which here is a proxy to the one engine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django_q.brokers import get_broker

from gitsync import tasks
from gitsync.models import QueuedSync, Repository, SyncRun, Trigger
from gitsync.queue.tenant import tenant_of
from kiok.cluster import heartbeat
from kiok.cluster.models import LeaderLease, Worker
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.engine_socket import ENGINE_SOCKET
from tests.support.servers.daemon import GitDaemon
from tests.support.servers.redis import RedisServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

PYTHON = "from kiok import Dag\nd = Dag('p')\nd.task('a', script='s')\n"
# The same on every machine, and that of the tests, whose requests the workers would refuse otherwise.
SHARED = {"DJANGO_SECRET_KEY": str(settings.SECRET_KEY), "KIOK_WORKERS": "2"}
SELDOM = {"KIOK_GITSYNC_INTERVAL_MS": "600000"}


class EngineDoor:
    """A TCP proxy to the Docker engine that holds connections until it is opened, and counts them; a context manager."""

    def __init__(self) -> None:
        self.connections = 0
        self._is_open = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> EngineDoor:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def open(self) -> None:
        """Let everything through that has come and will come."""
        self._is_open.set()

    def __exit__(self, *_: object) -> None:
        self._is_open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._is_open.wait()
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(ENGINE_SOCKET)
        for source, sink in ((client, engine), (engine, client)):
            threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[GitDaemon]:
    root = tmp_path / "remotes"
    root.mkdir()
    with GitDaemon(root) as daemon:
        yield daemon


def mirrors(data: Path) -> set[int]:
    return {int(path.name) for path in (data / "mirrors").glob("[0-9]*")}


def most_at_once(spans: Sequence[tuple[object, object]]) -> int:
    """Return the maximum number of spans of time that overlap."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])  # type: ignore[type-var]
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def test_two_machines_share_the_work_and_one_continues_alone(
    work_repo: WorkRepo, served: GitDaemon, tmp_path: Path
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "p.py": PYTHON})
    rows = []
    for number in range(12):
        shutil.copytree(work_repo.bare, served.root / f"team{number}" / "dags.git", dirs_exist_ok=True)
        url = served.url(f"team{number}/dags.git").replace(
            "127.0.0.1", ("127.0.0.1", "localhost")[number % 2]
        )
        rows.append(Repository(name=f"team{number}", url=url))
    Repository.objects.bulk_create(rows)
    # A worker each, and two hosts with one sync each: while no engine answers, each machine holds one repository.
    limits = {"KIOK_GITSYNC_ALLOW_PROTOCOLS": "git", "KIOK_GITSYNC_HOST_SYNCS": "1", "KIOK_WORKERS": "1"}
    with EngineDoor() as first_engine, EngineDoor() as second_engine:
        first = {"KIOK_BASE_DATA_DIR": str(tmp_path / "ant"), "DOCKER_HOST": first_engine.url}
        second = {"KIOK_BASE_DATA_DIR": str(tmp_path / "bee"), "DOCKER_HOST": second_engine.url}
        with workers({**SHARED, **SELDOM, **limits, **second}, host_name="bee"):
            with workers({**SHARED, **SELDOM, **limits, **first}, host_name="ant") as ant:
                for machine in ("ant", "bee"):
                    eventually(lambda: mirrors(tmp_path / machine), 60, "each machine has a repository")  # noqa: B023
                first_engine.open()
                second_engine.open()
                eventually(lambda: Dag.objects.count() == 2 * len(rows), 120, "all are synced")
                hosts = {heartbeat.host_of(name) for name in Worker.objects.values_list("name", flat=True)}
                assert hosts == {"ant", "bee"}
                eventually(lambda: not QueuedSync.objects.exists(), 10, "no turn is left")
                made = mirrors(tmp_path / "ant"), mirrors(tmp_path / "bee")
                assert made[0] | made[1] == {row.pk for row in rows}
                assert first_engine.connections
                assert second_engine.connections
                spans = defaultdict(list)
                for run in SyncRun.objects.select_related("repository"):
                    spans[tenant_of(run.repository.url, None).host].append((run.started_at, run.finished_at))
                assert {host: most_at_once(times) for host, times in spans.items()} == {
                    "127.0.0.1": 1,
                    "localhost": 1,
                }
                os.killpg(ant.pid, signal.SIGKILL)
            # The other machine must fetch the repositories that only the dead machine had a mirror of.
            lost = Repository.objects.get(pk=min(made[0] - made[1] or made[0]))
            work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
            bare = served.root / lost.name / "dags.git"
            shutil.rmtree(bare)
            shutil.copytree(work_repo.bare, bare)
            tasks.enqueue_sync(lost.pk, Trigger.ADMIN)
            eventually(
                lambda: Dag.objects.filter(repository=lost.name, version=2), 60, "the other has synced it"
            )
            assert lost.pk in mirrors(tmp_path / "bee")
            eventually(
                lambda: LeaderLease.objects.filter(holder__startswith="bee/").exists(), 20, "the other leads"
            )


def test_requests_lost_with_redis_or_a_worker_are_repeated(
    work_repo: WorkRepo, repository: Repository, redis_server: RedisServer
) -> None:
    def push(script: str) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a", script)})

    def is_served(script: str) -> bool:
        return any(
            script in str(spec)
            for spec in Dag.objects.filter(uid="team/a.yaml").values_list("spec", flat=True)
        )

    push("echo 1")
    with workers({**SHARED, **SELDOM, "KIOK_BROKER": "redis", "KIOK_REDIS_URL": redis_server.url}):
        eventually(lambda: is_served("echo 1"), 40, "the leader's poll, by Redis")

        with transaction.atomic():
            push("echo 2")
            tasks.enqueue_sync(repository.pk, Trigger.WEBHOOK)
            assert get_broker().queue_size() == 0, "a task was sent before the commit"
        eventually(lambda: is_served("echo 2"), 20, "a request, by Redis")
        eventually(lambda: not QueuedSync.objects.exists(), 30, "the worker is done with it")

        redis_server.kill()
        push("echo 3")
        assert tasks.enqueue_once(repository.pk, Trigger.WEBHOOK), "the caller does not notice"
        assert QueuedSync.objects.count() == 1
        assert not is_served("echo 3")
        redis_server.start()
        eventually(lambda: is_served("echo 3"), 40, "what was asked for while it was away")

        slow = "from kiok import Dag\nimport time\ntime.sleep(8)\nd = Dag('p')\nd.task('a', script='s')\n"
        work_repo.publish({"p.py": slow, "a.yaml": yaml_dag("a", "echo 4")})
        tasks.enqueue_sync(repository.pk, Trigger.ADMIN)
        eventually(lambda: SyncRun.objects.filter(state="running", step="compile"), 20, "a worker is at it")
        holder = QueuedSync.objects.get().claimed_by
        os.kill(int(holder.split("/")[2]), signal.SIGKILL)
        eventually(lambda: is_served("echo 4"), 60, "what was lost with the worker")
        eventually(lambda: not QueuedSync.objects.exists(), 30, "no turn is left")
