"""A format that only the table knows: its files are synced like those of any other format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from compilers.formats import FORMATS
from compilers.formats.base import Batch, Format
from compilers.result import FileResult, failed, readable, result_of
from gitsync.models import SourceFile
from kiok.metadata.models import Dag
from kiok.yaml_dag import compile_yaml
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def compile_toyml(batch: Batch) -> Iterator[FileResult]:
    """Compile files of one line each: `<DAG id> = <script>`."""
    wanted = {source.path: source for source in batch.sources}
    for entry, content in batch.tree.read([entry for entry in batch.tree.entries if entry.path in wanted]):
        source, text = wanted[entry.path], readable(content)
        dag_id, equals, script = text.partition(" = ")
        if equals:
            compiled = compile_yaml(yaml_dag(dag_id, script.strip()).encode(), entry.path)
            result = result_of(source, compiled, text=text)
        else:
            result = failed(source, "no = in the first line", 1, text=text)
        yield replace(result, traced_accesses=())


def test_a_format_of_the_table_is_synced(
    monkeypatch: pytest.MonkeyPatch, work_repo: WorkRepo, sync: Sync
) -> None:
    monkeypatch.setitem(FORMATS, "toyml", Format("toyml", (".toyml",), compile_toyml))
    commit = work_repo.publish(
        {"a.toyml": "first = echo 1", "b.TOYML": "second", "c.yaml": yaml_dag("third"), "d.toy": ""}
    )

    report = sync()

    assert report.created == ("team/a.toyml", "team/c.yaml")
    assert [failure.path for failure in report.failed] == ["b.TOYML"]
    dag = Dag.objects.get(uid="team/a.toyml")
    assert (dag.source, dag.commit_sha) == ("first = echo 1", commit)
    assert [task["script"] for task in dag.spec["tasks"]] == ["echo 1"]
    assert dict(SourceFile.objects.values_list("path", "kind")) == {
        "a.toyml": "toyml",
        "b.TOYML": "toyml",
        "c.yaml": "yaml",
    }
    problem = SourceFile.objects.get(path="b.TOYML").diagnostics[0]
    assert problem["excerpt"] == {"first": 1, "lines": ["second"]}

    work_repo.publish({"c.yaml": yaml_dag("third", "echo 2")})
    assert sync().updated == ("team/c.yaml",)  # the other results are reused

    work_repo.git("rm", "-q", "a.toyml")
    work_repo.publish({})
    assert sync().pruned == ("team/a.toyml",)
