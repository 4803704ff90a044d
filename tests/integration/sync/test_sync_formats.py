"""Python and jars through the whole way: real git, real containers, real PostgreSQL."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from docker.errors import NotFound

from compilers.formats.python import PYTHON
from gitsync.models import Repository, SourceFile, SyncRun
from gitsync.worker import sandbox
from kiok.cluster.process_id import process_name
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

PYTHON_DAG = """
from kiok import Dag
from regions import NAMES

dag = Dag("regional", schedule="0 3 * * *")
for name in NAMES:
    dag.task("load_" + name, script="echo " + name)
"""

PLAIN = "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"


def test_a_python_dag_with_a_helper_module_is_registered_with_its_image(
    work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish(
        {"dags/r.py": PYTHON_DAG, "dags/regions.py": "NAMES = ('eu', 'us')\n", "a.yaml": yaml_dag("a")}
    )
    report = sync()
    assert report.failed == ()
    assert report.created == ("team/a.yaml", "team/dags/r.py::regional")
    assert report.not_a_dag == ("dags/regions.py",)
    dag = Dag.objects.get(uid="team/dags/r.py::regional")
    assert [task["id"] for task in dag.spec["tasks"]] == ["load_eu", "load_us"]
    assert dag.image_digest.startswith("sha256:")
    assert dag.source == PYTHON_DAG
    judged = Repository.objects.get().last_outcome
    assert judged["images"] == {"python": dag.image_digest}


def test_each_way_to_fail_is_that_files_error_while_the_others_register(
    work_repo: WorkRepo, sync: Sync
) -> None:
    header = "from kiok import Dag\n"
    good = header + "dag = Dag('good')\ndag.task('a', script='echo')\n"
    work_repo.publish(
        {
            "a_good.py": good,
            "b_raises.py": header + "print('before')\nraise RuntimeError('boom')\n",
            "c_exits.py": header + "import sys\nsys.exit(0)\n",
            "d_dies.py": header + "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
            "e_vanishes.py": header + "import os\nos._exit(0)\n",
            "f_cycle.py": header
            + "d = Dag('x')\nd.task('a', script='s', requires='b')\nd.task('b', script='s', requires='a')\n",
            "g_good.py": good,
            "setup.py": "import setuptools_that_is_not_there\n",
        }
    )
    report = sync()
    assert report.created == ("team/a_good.py::good", "team/g_good.py::good")
    failed = {item.path: item for item in report.failed}
    assert set(failed) == {"b_raises.py", "c_exits.py", "d_dies.py", "e_vanishes.py", "f_cycle.py"}
    assert "boom" in failed["b_raises.py"].message
    assert failed["b_raises.py"].line == 3
    assert "a -> b -> a" in failed["f_cycle.py"].message or "b -> a -> b" in failed["f_cycle.py"].message
    assert report.not_a_dag == ("setup.py",)
    diagnostics = Repository.objects.get().files.get(path="b_raises.py").diagnostics
    assert "before" in diagnostics[0]["output"]


@pytest.mark.rule("failure.absence")
@pytest.mark.case("publish.compile-failure")
def test_a_dag_whose_process_vanishes_keeps_serving_and_is_stale(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"r.py": "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"})
    assert sync().created == ("team/r.py::d",)
    for body in ("import os\nos._exit(0)\n", "raise SystemExit\n", "import nothing_like_kiok\n"):
        work_repo.publish({"r.py": body})
        report = sync()
        assert (report.pruned, report.stale) == ((), ("team/r.py::d",)), body


@pytest.mark.rule("failure.absence")
@pytest.mark.case("publish.compile-failure")
def test_without_an_engine_yaml_syncs_and_python_fails_but_keeps_serving(
    work_repo: WorkRepo, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_repo.publish({"r.py": PLAIN})
    sync()
    # A change to nothing: without a new commit an engine that is away is no reason to do anything.
    with monkeypatch.context() as away:
        _without_engine(away)
        assert sync().state == "in_sync"
        assert SyncRun.objects.count() == 1

        # Nor is it for a file that a new commit did not touch.
        work_repo.publish({"a.yaml": yaml_dag("a")})
        report = sync()
        assert (report.state, report.created, report.stale) == ("in_sync", ("team/a.yaml",), ())

        work_repo.publish({"b.yaml": yaml_dag("b"), "r.py": PLAIN + "# changed\n"})
        report = sync()
        assert report.created == ("team/b.yaml",)
        assert report.stale == ("team/r.py::d",)
        assert report.failed[0].message.startswith("sandbox unavailable: ")
        assert Repository.objects.get().reason == "sandbox_unavailable"
        assert SourceFile.objects.get(path="r.py").attempts == 1
    sandbox.sandbox.cache_clear()
    # The engine is back: the same commit is tried again without anybody asking for a full sync.
    report = sync()
    assert (report.state, report.stale) == ("in_sync", ())
    assert Dag.objects.get(uid="team/r.py::d").stale_since is None


@pytest.mark.rule("failure.nothing-new")
@pytest.mark.case("publish.once")
def test_a_sync_with_nothing_new_starts_no_container(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"r.py": "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"})
    sync()
    client = sandbox.sandbox().engine.client()
    since = time.time_ns()
    sync()
    events = client.events(
        since=int(since / 1e9), until=int(time.time()) + 1, filters={"type": "container"}, decode=True
    )
    assert [
        event["Action"]
        for event in events
        if event["timeNano"] > since
        and event["Action"] in ("create", "start")
        and event["Actor"]["Attributes"].get("kiok.repository") == "team"
        and event["Actor"]["Attributes"].get("kiok.service") == sandbox.service()
    ] == []


def test_a_full_sync_compiles_again_and_changes_nothing(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish(
        {"r.py": "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n", "a.yaml": yaml_dag("a")}
    )
    sync()
    report = sync(full=True)
    assert (report.unchanged, report.created, report.updated) == (2, (), ())
    assert SyncRun.objects.filter(full=True).count() == 1


def _without_engine(patch: pytest.MonkeyPatch) -> None:
    """Point the client at a socket that does not exist, as if no Docker engine answered."""
    patch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    sandbox.sandbox.cache_clear()


def test_the_sweep_takes_containers_of_dead_syncs_and_no_others(
    repository: Repository, transactional_db: None
) -> None:
    client = sandbox.sandbox().engine.client()
    Repository.objects.update(
        lease_holder=process_name(), lease_number=2, lease_expires_at=timezone.now() + timedelta(minutes=1)
    )
    dead = SyncRun.objects.create(
        repository=repository, lease_number=1, trigger="command", state="failed", started_at=timezone.now()
    )
    alive = SyncRun.objects.create(
        repository=repository, lease_number=2, trigger="command", state="running", started_at=timezone.now()
    )
    made = {
        "dead": dict(sandbox.labels("team", dead)),
        "alive": dict(sandbox.labels("team", alive)),
        "dry run": dict(sandbox.labels("team", None)),
        "another installation's": {
            **dict(sandbox.labels("team", dead)),
            "kiok.service": "kiok-gitsync-other",
        },
    }
    ids = {
        name: client.create_container(
            image=sandbox.sandbox().image_digest(PYTHON), labels={**labels, "kiok.sandbox": "1"}
        )["Id"]
        for name, labels in made.items()
    }
    try:
        assert sandbox.sweep() == 1
        left = {item["Id"] for item in client.containers(all=True)}
        assert [name for name, id_ in ids.items() if id_ in left] == [
            "alive",
            "dry run",
            "another installation's",
        ]
    finally:
        for id_ in ids.values():
            with contextlib.suppress(NotFound):
                client.remove_container(id_, force=True)


def test_a_module_at_the_root_is_imported_though_only_a_folder_is_synced(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    dag = "from kiok import Dag\nfrom shared.names import NAME\nd = Dag(NAME)\nd.task('a', script='s')\n"
    work_repo.publish(
        {
            "dags/d.py": dag,
            "shared/names.py": "import pathlib\nNAME = 'n'\nassert not pathlib.Path('/src/big.bin').exists()\n",
            "big.bin": "x" * 100_000,
        }
    )
    repository.subpath = "dags"
    repository.save()
    assert sync().created == ("team/dags/d.py::n",)
    repository.include = ""
    repository.save()
    report = sync()
    assert report.stale == ("team/dags/d.py::n",)
    assert "shared" in report.failed[0].message
