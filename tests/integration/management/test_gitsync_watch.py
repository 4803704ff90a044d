"""`manage.py gitsync --watch` follows requested syncs; `--list` begins with the repositories in trouble."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import IO

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from gitsync import tasks
from gitsync.models import QueuedSync, Repository, Trigger
from gitsync.sync.lease import acquire, release
from tests.integration.conftest import yaml_dag
from tests.support.cluster import workers
from tests.support.processes import ROOT, environment, gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `manage.py gitsync --watch`. It is ended if the test fails."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "gitsync", "--watch", *arguments],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background makes them, and their children, ignore Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=600)


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def request_sync(repository: Repository) -> None:
    tasks.enqueue_sync(repository.pk, Trigger.API, requested_by="ada")


def test_each_change_of_state_is_printed_once(repository: Repository) -> None:
    Repository.objects.update(state="degraded", reason="files_failed", last_good_commit="1" * 40)
    request_sync(repository)
    with watching("--repo", "team") as process:
        assert output(process).readline() == f"team: Queued (commit {'1' * 8})\n"
        held = acquire(repository.pk)
        assert held
        assert output(process).readline() == f"team: Syncing (commit {'1' * 8})\n"
        # The row first: while it is in the queue, the sync is not done.
        Repository.objects.update(state="in_sync", reason="", last_good_commit="2" * 40)
        release(held)
        QueuedSync.objects.all().delete()
        status, out, err = ended(process)
    assert status == 0
    assert out in (
        f"team: In sync (commit {'2' * 8})\n",
        f"team: Queued (commit {'2' * 8})\nteam: In sync (commit {'2' * 8})\n",
    )
    assert err == "No worker is running. Start `manage.py run` or `manage.py qcluster`.\n"


def test_a_requested_sync_is_followed_to_its_end(work_repo: WorkRepo, repository: Repository) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    request_sync(repository)
    with watching() as process:
        assert output(process).readline() == "team: Queued\n"
        with workers({"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "1"}):
            status, out, _ = ended(process)
    lines = out.splitlines()
    assert status == 0
    assert lines[-1] == f"team: In sync (commit {commit[:8]})"
    assert len(lines) == len(set(lines))


def test_the_status_is_that_of_the_repositories(work_repo: WorkRepo, repository: Repository) -> None:
    """Nothing is requested, so the command ends immediately."""
    other = Repository.objects.create(name="other", url=work_repo.file_url, state="in_sync")
    never = gitsync("--watch")
    assert (never.returncode, never.stdout) == (1, "other: In sync\nteam: Never synced\n")
    Repository.objects.filter(name="team").update(
        state="failing", reason="ref_missing", message="no branch main\x1b[2J", last_good_commit="1" * 40
    )
    failing = gitsync("--watch", "--repo", "team")
    assert (failing.returncode, failing.stdout) == (
        1,
        "team: Failing (ref_missing: no branch main\\x1b[2J)\n",
    )
    assert gitsync("--watch", "--repo", "other").returncode == 0
    Repository.objects.filter(pk=other.pk).update(paused_at=Now(), paused_by="ada", pause_reason="moving")
    assert gitsync("--watch", "--repo", "other").returncode == 1
    skipped = gitsync("--watch")
    assert "It is skipped." in skipped.stderr
    assert "other" not in skipped.stdout


def test_json_is_one_object_at_the_end(repository: Repository) -> None:
    Repository.objects.update(state="in_sync")
    done = gitsync("--watch", "--json")
    (row,) = json.loads(done.stdout)["repositories"]
    assert (done.returncode, row["name"], row["state"]) == (0, "team", "in_sync")


def test_ctrl_c_ends_the_watch_with_one_line(repository: Repository) -> None:
    request_sync(repository)
    with watching() as process:
        assert output(process).readline() == "team: Queued\n"
        process.send_signal(signal.SIGINT)
        status, out, err = ended(process)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "kiok: interrupted"
    assert "Traceback" not in err


def test_a_deleted_repository_ends_its_watch(repository: Repository) -> None:
    request_sync(repository)
    with watching() as process:
        assert output(process).readline() == "team: Queued\n"
        Repository.objects.all().delete()
        assert ended(process)[:2] == (0, "")


@pytest.mark.parametrize("option", ["--full", "--dry-run", "--accept-empty", "--now", "--list"])
def test_watch_has_no_options_of_a_sync(option: str, repository: Repository) -> None:
    assert gitsync("--watch", "--repo", "team", option).returncode == 2


def test_the_list_begins_with_the_repositories_in_trouble(transactional_db: None) -> None:
    now = timezone.now()
    for name, fields in {
        "a-off": {"enabled": False, "state": "failing"},
        "b-well": {"state": "in_sync"},
        "c-paused": {"state": "failing", "paused_at": now},
        "d-new": {},
        "e-degraded": {"state": "degraded"},
        "f-failing": {"state": "failing"},
        "g-failing": {
            "state": "failing",
            "lease_holder": "x",
            "lease_expires_at": now + timedelta(minutes=5),
        },
        "h-well": {"state": "in_sync"},
    }.items():
        Repository.objects.create(name=name, url="https://127.0.0.1/x.git", **fields)
    expected = [
        *("f-failing", "g-failing", "e-degraded", "d-new", "c-paused", "b-well", "h-well", "a-off"),
    ]
    rows = json.loads(gitsync("--list", "--json").stdout)["repositories"]
    assert [row["name"] for row in rows] == expected
    lines = gitsync("--list").stdout.splitlines()
    places = [next(place for place, line in enumerate(lines) if name in line) for name in expected]
    assert places == sorted(places)
