"""The schedule and its leader, with real workers in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.tasks import async_task

from gitsync import tasks
from gitsync.models import Repository, SyncRun, Trigger
from gitsync.queue import leader_schedule
from kiok.cluster import leader
from kiok.cluster.models import LeaderLease, Worker
from kiok.cluster.process_id import is_dead, process_name
from kiok.connections.models import Connection
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.cluster import ROOT, eventually, leader_pid, stop, workers
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

EVERY_SECOND = {"KIOK_GITSYNC_INTERVAL_MS": "1000", "KIOK_WORKERS": "2"}


def test_a_push_is_deployed_by_the_schedule_alone_and_the_interval_is_kept(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    with workers(EVERY_SECOND):
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml", version=1), 20, "the first sync")
        work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
        eventually(lambda: Dag.objects.filter(version=2), 6, "the push deployed")

        polls: list[tuple[datetime, datetime]] = []

        def note() -> bool:
            seen = Repository.objects.values_list("checked_at", "next_due_at").get()
            if not polls or seen[1] != polls[-1][1]:
                polls.append(seen)
            return len(polls) >= 8

        eventually(note, 10, "eight polls")
    grid = polls[0][1]
    for (_, due), (checked, next_due) in pairwise(polls):
        assert due <= checked < next_due, "a poll came before its time"
        # A busy machine polls late, or leaves times out. The grid stays.
        assert (next_due - grid) % timedelta(seconds=1) == timedelta(0)


def test_a_repository_that_hangs_delays_no_other(
    work_repo: WorkRepo, repository: Repository, ssh_server: SshServer
) -> None:
    key = Connection(id="key", type="git")
    key.set_properties({"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts})
    key.save()
    ssh_server.delay(600)
    for number in range(3):
        Repository.objects.create(name=f"hangs{number}", url=ssh_server.url(work_repo.bare), credential=key)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    with workers(EVERY_SECOND):
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml"), 20, "the first sync")
        for version in (2, 3, 4):
            work_repo.publish({"a.yaml": yaml_dag("a", f"echo {version}")})
            eventually(lambda v=version: Dag.objects.filter(version=v), 6, "the push deployed")
        assert not Repository.objects.filter(name__startswith="hangs").exclude(state="never").exists()
        ssh_server.delay(0)


def test_workers_stop_on_sigterm(work_repo: WorkRepo, repository: Repository) -> None:
    with workers(EVERY_SECOND) as cluster:
        eventually(leader_pid, 20, "a leader")
        stop(cluster)
    assert leader_pid() is None


def test_a_request_while_a_sync_runs_becomes_one_follow_up(
    work_repo: WorkRepo, repository: Repository
) -> None:
    # Long enough for the requests below on a busy machine, and within the time limit of a file.
    slow = "from kiok import Dag\nimport time\ntime.sleep(15)\nd = Dag('p')\nd.task('a', script='s')\n"
    work_repo.publish({"p.py": slow})
    with workers({"KIOK_GITSYNC_INTERVAL_MS": "600000", "KIOK_WORKERS": "3"}):
        eventually(lambda: SyncRun.objects.filter(step="compile"), 20, "the sync under way")
        commit = work_repo.publish({"a.yaml": yaml_dag("a")})
        for _ in range(5):
            tasks.enqueue_sync(repository.pk, Trigger.ADMIN, requested_by="operator")
        eventually(lambda: Repository.objects.filter(last_good_commit=commit), 30, "the follow-up")
        time.sleep(2)
    assert list(SyncRun.objects.order_by("id").values_list("trigger", flat=True)) == ["schedule", "admin"]
    assert [run.failed_files for run in SyncRun.objects.exclude(state="succeeded")] == []


def test_processes_that_are_killed_do_not_stop_the_others(
    work_repo: WorkRepo, repository: Repository
) -> None:
    def kill(pids: Iterable[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    faults = [
        ("all idle workers", lambda: kill(worker_pids())),
        ("workers that hold the lock the sentinel waits for", die_while_reporting),
        ("pusher and monitor", lambda: kill(set(cluster_pids(cluster.pid)) - set(worker_pids()))),
    ]
    with workers(EVERY_SECOND, settings="tests.support.dying_settings") as cluster:
        for version, (which, fault) in enumerate(faults, start=1):
            eventually(lambda: len(worker_pids()) == 2, 20, f"workers, before the fault to {which}")
            fault()
            work_repo.publish({"a.yaml": yaml_dag("a", f"echo {version}")})
            eventually(
                lambda v=version: Dag.objects.filter(version=v), 60, f"the push after the fault to {which}"
            )
        os.killpg(cluster.pid, signal.SIGTERM)  # as a terminal or systemd does: to all processes of the group
        cluster.wait(timeout=600)


def die_while_reporting() -> None:
    """Have every worker die. Each task ends the worker that takes it, which may be one that was started meanwhile."""
    before, dead = set(worker_pids()), dead_worker_pids()
    died: set[int] = set()
    tasks: list[str] = []

    def are_all_taken() -> bool:
        died.update(dead_worker_pids() - dead)
        return len(died) >= len(tasks)

    while alive := before & set(worker_pids()):
        tasks.extend(async_task("tests.support.dying.dies_while_reporting") for _ in alive)
        eventually(are_all_taken, 20, "the death of a worker for each task")
    OrmQ.objects.filter(pk__in=[row.pk for row in OrmQ.objects.all() if row.task_id() in tasks]).delete()


def worker_pids() -> list[int]:
    """Return the worker processes that are alive and campaign for the lease."""
    names = Worker.objects.values_list("name", flat=True)
    return [int(name.split("/")[2]) for name in names if not is_dead(name)]


def dead_worker_pids() -> set[int]:
    """Return the worker processes that are dead, but whose rows are not removed yet."""
    names = Worker.objects.values_list("name", flat=True)
    return {int(name.split("/")[2]) for name in names if is_dead(name)}


def cluster_pids(cluster_pid: int) -> list[int]:
    """The processes of a cluster: workers, monitor, pusher."""
    return [pid for sentinel in children(cluster_pid) for pid in children(sentinel)]


def children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found += [int(child) for child in path.read_text().split()]
    return found


def test_two_candidates_never_both_win() -> None:
    lead = leader.take_lead()
    assert lead is not None
    assert leader.take_lead() is None
    LeaderLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    usurper = leader.take_lead()
    assert usurper is not None
    assert not leader.renew(lead)
    assert leader.renew(usurper)
    leader.resign(lead)
    assert LeaderLease.objects.get().holder == usurper.holder


def test_a_process_that_has_ended_counts_as_dead() -> None:
    assert not is_dead(process_name())
    host, boot, _pid, start, *rest = process_name().split("/")
    assert is_dead("/".join((host, boot, "4194304", start, *rest)))
    assert not is_dead("/".join(("elsewhere", boot, "4194304", start, *rest)))
    assert not is_dead("nonsense")


# A process of another container with the same host name, until its standard input ends. It prints its own name.
ELSEWHERE = """
import sys
from kiok.cluster.process_id import process_name
print(process_name(), flush=True)
sys.stdin.read()
"""


def test_a_process_of_another_container_is_not_taken_for_dead() -> None:
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", ELSEWHERE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        name = container.stdout.readline().strip()
        assert name.split("/")[0] == process_name().split("/")[0]
        assert not is_dead(name)
        container.stdin.close()


def test_the_schedule_exists_once(transactional_db: None) -> None:
    tasks.ensure_schedule()
    tasks.ensure_schedule()
    schedule = Schedule.objects.get(name=leader_schedule.NAME)
    assert schedule.func == "gitsync.tasks.lead"


def test_a_fault_while_it_leads_does_not_end_the_candidacy_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A git whose version is no number that Python reads."""
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\necho git version 2.{'9' * 5000}\n")
    git.chmod(0o755)
    with monkeypatch.context() as broken:
        broken.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        candidate = leader.LeaderElector()
        candidate.start()
        eventually(lambda: "leading failed" in caplog.text, 10, "the fault")
    try:
        eventually(leader_pid, 10, "it leads after all")
    finally:
        candidate.stop()
        candidate.join(600)
