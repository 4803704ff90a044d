"""A sync compiles only changed files, and all others keep their results: real git, containers, PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings

from gitsync.models import Repository, SourceFile, SyncRun
from gitsync.worker import sandbox
from kiok.cluster.conf import properties
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "from kiok import Dag\n"
HELPED = HEADER + "from helper import V\nd = Dag('helped')\nd.task('a', script=V)\n"
ALONE = HEADER + "d = Dag('alone')\nd.task('a', script='s')\n"
PROBING = HEADER + (
    "try:\n    from extra import V\nexcept ImportError:\n    V = 'none'\n"
    "d = Dag('probing')\nd.task('a', script=V)\n"
)
FILES: dict[str, str | bytes] = {
    "helped.py": HELPED,
    "alone.py": ALONE,
    "probing.py": PROBING,
    "helper.py": "V = 'one'\n",
    "a.yaml": yaml_dag("a"),
}


def compiled() -> tuple[int, int]:
    """Return the number of files that the last sync compiled, and that it reused."""
    run = SyncRun.objects.order_by("-pk")[0]
    return run.compiled, run.reused


def script(dag_id: str) -> str:
    return str(Dag.objects.get(dag_id=dag_id).spec["tasks"][0]["script"])


def rows() -> dict[str, dict[str, object]]:
    return {row["path"]: row for row in SourceFile.objects.values()}


def test_each_change_compiles_what_depends_on_it_and_nothing_else(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish(FILES)
    first = sync()
    assert (first.compiled, first.reused, len(first.created)) == (5, 0, 4)
    before = rows()

    work_repo.publish({"a.yaml": yaml_dag("a", "echo changed")})
    report = sync()
    assert (report.updated, report.unchanged, report.not_a_dag) == (("team/a.yaml",), 3, ("helper.py",))
    assert (report.compiled, report.reused, compiled()) == (1, 4, (1, 4))
    after = rows()
    assert [path for path in before if before[path] != after[path]] == ["a.yaml"]

    work_repo.publish({"helper.py": "V = 'two'\n"})
    report = sync()
    assert (report.updated, compiled()) == (("team/helped.py::helped",), (2, 3))
    assert script("helped") == "two"

    work_repo.publish({"extra.py": "V = 'found'\n"})
    report = sync()
    assert (report.updated, compiled()) == (("team/probing.py::probing",), (2, 4))
    assert script("probing") == "found"

    work_repo.publish({"README.md": "nothing asks for it"})
    report = sync()
    assert (report.state, report.unchanged, compiled()) == ("in_sync", 4, (0, 6))

    report = sync(full=True)
    assert (report.updated, report.unchanged, compiled()) == ((), 4, (6, 0))
    assert DagVersion.objects.count() == 7


def test_a_removed_file_is_pruned_though_nothing_is_compiled(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.git("rm", "-q", "b.yaml")
    work_repo.publish()
    report = sync()
    assert (report.pruned, report.unchanged, compiled()) == (("team/b.yaml",), 1, (0, 1))
    assert set(rows()) == {"a.yaml"}


def test_an_unchanged_failed_file_stays_listed_and_its_dag_stale(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"r.py": ALONE, "a.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"r.py": HEADER + "print('said')\nraise RuntimeError('boom')\n"})
    broken = sync()
    assert (broken.state, broken.stale) == ("degraded", ("team/r.py::alone",))
    stale = Dag.objects.filter(dag_id="alone").values().get()

    work_repo.publish({"a.yaml": yaml_dag("a", "echo changed")})
    report = sync()
    assert compiled() == (1, 1)
    assert (report.state, report.failed, report.stale) == (broken.state, broken.failed, broken.stale)
    assert (report.message, report.pruned) == (broken.message, ())
    assert Dag.objects.filter(dag_id="alone").values().get() == stale
    assert SyncRun.objects.order_by("-pk")[0].failed_files[0]["line"] == 3
    assert "said" in SourceFile.objects.get(path="r.py").diagnostics[0]["output"]

    work_repo.publish({"r.py": ALONE})
    assert (sync().state, Dag.objects.get(dag_id="alone").stale_since) == ("in_sync", None)


def test_a_manually_deleted_dag_returns_with_the_next_commit(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    Dag.objects.filter(dag_id="a").delete()
    work_repo.publish({"c.yaml": yaml_dag("c")})
    report = sync()
    assert (report.created, compiled()) == (("team/a.yaml", "team/c.yaml"), (2, 1))
    assert Dag.objects.get(dag_id="a").version == 2


def test_a_file_whose_id_belongs_to_another_is_tried_again_each_time(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Dag.objects.update(origin="manual", repository="")
    for number in range(2):
        work_repo.publish({"b.yaml": yaml_dag("b", f"echo {number}")})
        report = sync()
        assert [item.path for item in report.failed] == ["a.yaml"]
        assert compiled() == (2, 0)
    Dag.objects.filter(origin="manual").delete()
    work_repo.publish({"b.yaml": yaml_dag("b", "echo more")})
    assert sync().created == ("team/a.yaml",)


@pytest.fixture
def other_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another time limit for Python files, as after a restart with other properties."""
    caches = (sandbox.sandbox, sandbox._limits)
    with monkeypatch.context() as changed:
        changed.setattr(settings, "KIOK", replace(properties(), sandbox_file_timeout_ms=29_000))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


def test_results_from_other_limits_are_compiled_again(
    work_repo: WorkRepo, sync: Sync, request: pytest.FixtureRequest
) -> None:
    work_repo.publish({"r.py": ALONE, "a.yaml": yaml_dag("a")})
    sync()
    request.getfixturevalue("other_limits")
    report = sync()
    assert (report.unchanged, compiled()) == (2, (1, 1))


def test_results_from_another_image_are_compiled_again(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    work_repo.publish({"r.py": ALONE, "a.yaml": yaml_dag("a")})
    sync()
    # As if it had been compiled by the image before.
    SourceFile.objects.filter(path="r.py").update(compile_key="0" * 64, image_digest="sha256:before")
    Repository.objects.update(last_outcome={})
    report = sync()
    assert (report.unchanged, compiled()) == (2, (1, 1))
    assert SourceFile.objects.get(path="r.py").image_digest != "sha256:before"


def test_a_dry_run_compiles_the_same_files_as_a_sync(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"b.yaml": yaml_dag("b", "echo changed")})
    before = rows()
    planned = sync(dry_run=True)
    assert (planned.updated, planned.unchanged, planned.compiled, planned.reused) == (
        ("team/b.yaml",),
        1,
        1,
        1,
    )
    assert sync(dry_run=True, full=True).compiled == 2
    assert rows() == before
