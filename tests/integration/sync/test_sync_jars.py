"""Jars through the whole way: no version of a jar makes a served DAG vanish without proof."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import cache

import pytest

from gitsync.models import FileState, RepositoryState, SourceFile
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync
from tests.sandbox.jar_runs import rezipped, zipped
from tests.sandbox.javac import compile_jar
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

IMPORTS = "import com.cloudcheflabs.kiok.sdk.*;\n"
DEFINE = 'public Dag define() { Dag dag = new Dag("%s"); dag.task("t").shell("true"); return dag; }'
KEPT = IMPORTS + f"public class Kept implements KiokDag {{ {DEFINE % 'kept'} }}"
BASE = IMPORTS + f"public abstract class AbstractBase implements KiokDag {{ {DEFINE % 'child'} }}"
CHILD = IMPORTS + "public class Child extends AbstractBase { public Child() {} }"
UIDS = ["team/dags.jar::child", "team/dags.jar::kept"]


def entries(jar: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(jar)) as opened:
        return {name: opened.read(name) for name in opened.namelist() if name.endswith(".class")}


@cache
def version(**changed: str | None) -> bytes:
    """Return a jar of Kept, AbstractBase and Child, with some sources changed or (None) left out."""
    sources: Mapping[str, str | None] = {"Kept": KEPT, "AbstractBase": BASE, "Child": CHILD, **changed}
    return compile_jar({f"{name}.java": text for name, text in sources.items() if text is not None})


@pytest.fixture
def served(work_repo: WorkRepo, sync: Sync) -> bytes:
    """The first version of the jar, which gives two DAGs."""
    jar = version()
    work_repo.publish({"dags.jar": jar})
    report = sync()
    assert (list(report.created), report.state) == (UIDS, RepositoryState.IN_SYNC)
    return jar


def test_a_child_whose_base_left_the_jar_keeps_its_dag_stale(
    work_repo: WorkRepo, sync: Sync, served: bytes
) -> None:
    work_repo.publish({"dags.jar": rezipped(served, without=frozenset({"AbstractBase.class"}))})
    report = sync()
    assert (report.pruned, report.stale, report.ok) == ((), ("team/dags.jar::child",), False)
    assert report.state == RepositoryState.DEGRADED
    (failed,) = report.failed
    assert failed.path == "dags.jar"
    assert failed.message.startswith("class Child: it is unknown whether it defines a DAG")
    assert "AbstractBase is not in the jar" in failed.message


VERSIONS = {
    "base_without_interface": (
        {"AbstractBase": BASE.replace("implements KiokDag", "")},
        "class Child: it has a method define() that returns a Dag, but does not implement KiokDag",
    ),
    "private_constructor": (
        {"Child": CHILD.replace("public Child()", "private Child()")},
        "class Child: it implements KiokDag, but its constructor without arguments is not public",
    ),
}


@pytest.mark.parametrize("case", VERSIONS)
def test_a_class_that_may_still_be_a_dag_keeps_its_dag_stale(
    work_repo: WorkRepo, sync: Sync, served: bytes, case: str
) -> None:
    changed, message = VERSIONS[case]
    work_repo.publish({"dags.jar": version(**changed)})
    report = sync()
    assert (report.pruned, report.stale, report.ok) == ((), ("team/dags.jar::child",), False)
    assert [item.path for item in report.failed] == ["dags.jar"]
    assert report.failed[0].message.startswith(message)
    assert message in Dag.objects.get(uid="team/dags.jar::child").stale_reason


@pytest.mark.parametrize("folder", ["BOOT-INF/classes/", "META-INF/versions/17/"])
def test_classes_that_moved_inside_the_jar_keep_their_dags_stale(
    work_repo: WorkRepo, sync: Sync, served: bytes, folder: str
) -> None:
    work_repo.publish({"dags.jar": zipped({folder + name: data for name, data in entries(served).items()})})
    report = sync()
    assert (report.pruned, sorted(report.stale), report.ok) == ((), UIDS, False)
    assert f"it is located at {folder}" in report.failed[0].message


def test_a_jar_wrapped_in_another_keeps_its_dags_stale(
    work_repo: WorkRepo, sync: Sync, served: bytes
) -> None:
    work_repo.publish({"dags.jar": zipped({"lib/dags.jar": served})})
    report = sync()
    assert (report.pruned, sorted(report.stale), report.ok) == ((), UIDS, False)
    assert "jars inside the jar are not read: lib/dags.jar" in report.failed[0].message


def test_a_removed_class_prunes_its_dag_despite_missing_answers(work_repo: WorkRepo, sync: Sync) -> None:
    library = {"Gone.java": "public class Gone {}", "Heir.java": "public class Heir extends Gone {}"}
    heir = entries(compile_jar(library))["Heir.class"]
    work_repo.publish({"dags.jar": rezipped(version(), changed={"Heir.class": heir})})
    report = sync()
    assert (list(report.created), report.state) == (UIDS, RepositoryState.IN_SYNC)
    row = SourceFile.objects.get(path="dags.jar")
    assert row.state == FileState.COMPILED
    assert "class Heir: it is unknown whether it defines a DAG" in row.diagnostics[0]["message"]

    work_repo.publish({"dags.jar": rezipped(version(Child=None), changed={"Heir.class": heir})})
    report = sync()
    assert (report.pruned, report.stale, report.failed) == (("team/dags.jar::child",), (), ())
    assert report.state == RepositoryState.IN_SYNC


def test_a_jar_without_its_dag_class_is_pruned_with_a_reason(
    work_repo: WorkRepo, sync: Sync, served: bytes
) -> None:
    work_repo.publish({"dags.jar": compile_jar({"Library.java": "public class Library {}"})})
    report = sync()
    assert (sorted(report.pruned), report.state, report.not_a_dag) == (
        UIDS,
        RepositoryState.IN_SYNC,
        ("dags.jar",),
    )
    message = SourceFile.objects.get(path="dags.jar").diagnostics[0]["message"]
    assert (
        message == "its only class is not a concrete class that implements com.cloudcheflabs.kiok.sdk.KiokDag"
    )
