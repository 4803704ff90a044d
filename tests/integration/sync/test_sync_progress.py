"""A sync's progress and log: written during the sync, limited in size, free of secrets, and cheap."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.models import Repository, SyncRun, Trigger, Verify
from gitsync.sync import context
from gitsync.sync import log as sync_log
from gitsync.sync.context import WRITE_SECONDS
from gitsync.sync.lease import acquire
from gitsync.sync.log import FULL, MAX_BYTES, SyncLog
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.connections import redaction
from kiok.connections.models import Connection
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import SshKey, signed_commit
from tests.support.stateful.nursery import Nursery

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = "import time\nfrom kiok import Dag\ntime.sleep({seconds})\nd = Dag('d{number}')\nd.task('a', script='s')\n"
BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"
SECRET = "correct-horse-battery"


def slow_files(number: int, seconds: float) -> dict[str, str]:
    return {f"d{n:03}.py": SLOW.format(number=n, seconds=seconds) for n in range(number)}


def log_of_last() -> str:
    return SyncRun.objects.latest("id").log


def steps_of(log: str) -> list[str]:
    """Return the steps of a log's lines, each once. Assert the format of each line, and that times do not decrease."""
    found = [re.fullmatch(r"\+(\d+\.\d\d) (\w+): \S.*", line) for line in log.split("\n")]
    assert all(found), log
    times = [float(match[1]) for match in found if match]
    assert times == sorted(times)
    return [step for step, _ in itertools.groupby(match[2] for match in found if match)]


@pytest.fixture
def no_secrets() -> Iterator[None]:
    yield
    redaction.forget()


def test_progress_is_stored_while_files_compile_twice_a_second(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({**slow_files(40, 0.15), "a.yaml": yaml_dag("a")})
    seen: list[tuple[int, int]] = []
    logs: list[str] = []

    def look(step: str, detail: str) -> None:
        if step == "compile":
            seen.append(SyncRun.objects.values_list("files_done", "files_total").get())
            logs.append(log_of_last())

    with CaptureQueriesContext(connection) as captured:
        report = sync_repository(repository.pk, SyncOptions(), look)

    assert len(report.created) == 41
    counts = sorted({done for done, total in seen if total == 41})
    assert any(0 < done < 41 for done in counts), counts
    assert seen == sorted(seen)
    assert any("container kiok-sandbox-" in log for log in logs)
    run = SyncRun.objects.get()
    assert (run.files_done, run.files_total) == (41, 41)
    progress = [
        query["sql"]
        for query in captured
        if query["sql"].startswith('UPDATE "gitsync_syncrun"') and '"step" =' not in query["sql"]
    ]
    assert 1 <= len(progress) <= run.timings["compile"] / WRITE_SECONDS


def test_unchanged_files_are_not_part_of_the_progress(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({f"{name}.yaml": yaml_dag(name) for name in "abc"})
    sync()
    work_repo.publish({"b.yaml": yaml_dag("b", "echo 2")})
    sync()
    run = SyncRun.objects.latest("id")
    assert (run.files_done, run.files_total) == (1, 1)
    assert "3 files: 3 yaml; 1 to compile, 2 unchanged" in run.log


def test_a_short_sync_pays_no_write_for_progress_and_log(
    work_repo: WorkRepo, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "WRITE_SECONDS", 600.0)  # no sync is short on a busy machine
    work_repo.publish({f"d{number}.yaml": yaml_dag(f"d{number}") for number in range(30)})
    with CaptureQueriesContext(connection) as captured:
        sync()
    writes = [
        query["sql"]
        for query in captured
        if "gitsync_syncrun" in query["sql"] and not query["sql"].startswith("SELECT")
    ]
    # Claim (of those left behind), creation, six steps, the end.
    assert [sql.split()[0] for sql in writes] == ["UPDATE", "INSERT", *["UPDATE"] * 6, "UPDATE"]


def test_the_log_of_a_good_sync_has_commit_files_images_and_result(
    work_repo: WorkRepo, repository: Repository
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a"), "p.py": SLOW.format(number=1, seconds=0)})
    sync_repository(repository.pk, SyncOptions(trigger=Trigger.ADMIN, requested_by="ada"))
    log = log_of_last()
    assert steps_of(log) == ["sync", "fetch", "discover", "compile", "plan", "apply"]
    assert "sync: requested by ada (admin)" in log
    assert f"is at commit {commit}, last good sync: none" in log
    assert "fetch: fetched the whole commit" in log
    assert "2 files: 1 yaml, 1 python; 2 to compile" in log
    assert re.search(r"compile: 1 python files to compile with \S+.* \(sha256:[0-9a-f]{12}\)", log)
    assert "compile: container kiok-sandbox-" in log
    assert "compile: 2 of 2 files compiled; 0 failed" in log
    assert "plan: DAGs: 2 created, 0 updated, 0 pruned, 0 stale, 0 unchanged" in log
    assert log.endswith("apply: committed")


def test_the_log_names_bad_files_and_that_a_full_sync_compiles_all(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": BROKEN})
    sync()
    assert SyncRun.objects.latest("id").state == "partial"
    assert re.search(r"plan: a\.yaml:5: \S", log_of_last())
    assert "plan: DAGs: 0 created, 0 updated, 0 pruned, 1 stale, 1 unchanged" in log_of_last()
    sync(full=True)
    assert "full sync: all are compiled" in log_of_last()


def test_a_fetch_in_parts_is_called_so(work_repo: WorkRepo, repository: Repository, sync: Sync) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a"), "big.bin": "x" * 1000})
    Repository.objects.update(subpath="dags")
    sync()
    assert re.search(
        "fetched only the files under dags|fetched the whole commit: the server does not", log_of_last()
    )


def test_a_failed_poll_has_a_log(sync: Sync, work_repo: WorkRepo) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Repository.objects.update(ref="mian")
    sync()
    assert re.fullmatch(r"\+\d+\.\d\d probe: failed \(ref_missing\): .*mian.*", log_of_last())


def test_a_sync_that_fails_has_a_log_up_to_there(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Repository.objects.update(subpath="nowhere")
    sync()
    log = log_of_last()
    assert SyncRun.objects.get().state == "failed"
    assert steps_of(log) == ["sync", "fetch", "discover"]
    assert "discover: failed (subpath_missing): " in log.split("\n")[-1]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (lambda pk: Repository.objects.filter(pk=pk).update(subpath="other"), "configuration_changed"),
        (
            lambda pk: (
                Repository.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1)),
                acquire(pk),
            ),
            "lease_lost",
        ),
    ],
    ids=["edited", "taken over"],
)
def test_a_sync_that_is_abandoned_has_a_log_up_to_there(
    work_repo: WorkRepo, repository: Repository, action: Callable[[int], Any], reason: str
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "other/b.yaml": yaml_dag("b")})
    done = []

    def progress(step: str, detail: str) -> None:
        if step == "apply" and not done:
            done.append(action(repository.pk))

    sync_repository(repository.pk, SyncOptions(), progress)

    run = SyncRun.objects.earliest("id")
    assert run.state == "abandoned"
    assert steps_of(run.log) == ["sync", "fetch", "discover", "compile", "plan", "apply"]
    assert f"apply: abandoned ({reason}): " in run.log.split("\n")[-1]


def test_the_log_of_a_killed_sync_ends_at_its_last_step(
    work_repo: WorkRepo, repository: Repository, sync: Sync, nursery: Nursery
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert nursery.sync(repository.pk, step="apply")
    assert "compile: 1 of 1 files compiled" in log_of_last()
    sync()
    run = SyncRun.objects.earliest("id")
    assert run.state == "abandoned"
    assert "compile: 1 of 1 files compiled" in run.log


def test_the_log_names_whose_signature_was_good(
    work_repo: WorkRepo, repository: Repository, sync: Sync, tmp_path: Path
) -> None:
    ada = SshKey(tmp_path, "ada")
    keys = Connection(id="keys", type="generic")
    keys.set_properties({"allowedSigners": ada.signer("ada@example.org")})
    repository.verify, repository.verify_keys = Verify.COMMIT, keys
    repository.save()
    signed_commit(work_repo, ada.options(), yaml_dag("a"))
    sync()
    assert re.search(r"verify: the commit is signed by ada@example\.org, ssh key SHA256:\S+", log_of_last())


@pytest.mark.usefixtures("no_secrets")
def test_a_secret_that_a_file_repeats_is_masked_before_the_log_is_stored(
    work_repo: WorkRepo, sync: Sync
) -> None:
    redaction.register([SECRET])
    raises = f"import kiok\nraise RuntimeError('told {SECRET}\\x1b[31m\\u202e')\n"
    work_repo.publish({"a.yaml": BROKEN.replace("require", SECRET), "p.py": raises})
    sync()
    log = log_of_last()
    assert "a.yaml:5" in log
    assert "p.py:2" in log
    assert SECRET not in log
    assert redaction.REPLACEMENT in log
    assert all(character.isprintable() for character in log.replace("\n", ""))


@pytest.mark.usefixtures("no_secrets")
def test_a_line_stays_a_line_and_a_secret_is_masked_where_the_line_is_cut() -> None:
    redaction.register([SECRET])
    kept = SyncLog()
    kept.note("fetch", "one\r\ntwo\x00\x1b[2J\u2028three")
    kept.note("fetch", "x" * (sync_log.MAX_LINE_CHARACTERS - 5) + SECRET)
    kept.note("fetch", f"https://ada:{SECRET}@example.org and \udcff")
    lines = kept.text().split("\n")
    assert len(lines) == 3
    assert lines[0].endswith("one  two\\x00\\x1b[2J\\u2028three")
    assert "corre" not in lines[1]
    assert SECRET not in lines[2]
    assert kept.text().encode()


def test_a_capped_log_has_a_note_and_the_end() -> None:
    kept = SyncLog()
    for number in range(2000):
        kept.note("compile", f"{number} {'ü' * 100}")
    kept.note("apply", "é" * 5000, is_end=True)
    kept.note("compile", "too late")
    lines = kept.text().split("\n")
    assert len(kept.text().encode()) <= MAX_BYTES
    assert lines.count(FULL) == 1
    assert lines[-1].endswith("é…")
    assert "apply" in lines[-1]
