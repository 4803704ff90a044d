"""A DAG that one file creates and another imports is registered once, with a scripted sandbox."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from compilers.build_cache import CachedResult
from compilers.result import EVERYTHING, FileResult, FileStatus
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.source import Tree
from kiok.compiled import CompiledFile, CompiledFileError, ImportedDags, decode
from kiok.errors import Diagnostic
from kiok.spec import DagSpec, TaskSpec
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

X = DagSpec("x", "x", (TaskSpec("t", script="a"),))
CHANGED = DagSpec("x", "x", (TaskSpec("t", script="b"),))
OWN = DagSpec("own", "own", (TaskSpec("t", script="a"),))
IMPORTS = Diagnostic("imports 1 DAG of base.py")
BASE = CompiledFile((X,), traced_accesses=())
FAILED = CompiledFile(diagnostics=(Diagnostic("boom"),), import_failed=True, traced_accesses=())
LOADED = CompiledFile(not_a_dag=Diagnostic("no"), traced_accesses=())


def importing(
    *dags: DagSpec, own: tuple[DagSpec, ...] = (), path: str = "base.py", problem: str = ""
) -> CompiledFile:
    problems = (Diagnostic(problem, dag="x"),) if problem else ()
    return CompiledFile(
        own, not_a_dag=IMPORTS, traced_accesses=("p:base.py",), imported=(ImportedDags(path, dags, problems),)
    )


def compile_both(
    base: CompiledFile | RawResult,
    other: CompiledFile,
    known: Mapping[str, CachedResult] | None = None,
    tree: Tree | None = None,
    subpath: str = "",
) -> dict[str, FileResult]:
    answers = {"base.py": base, "dags/a.py": other}

    def answer(_job: SandboxJob, path: str) -> RawResult:
        found = answers[path]
        return (
            found
            if isinstance(found, RawResult)
            else RawResult(path, CompileOutcome.OK, payload=found.encode())
        )

    tree = tree or MemoryTree({"base.py": "import kiok", "dags/a.py": "import kiok, base"})
    files = compile_tree(tree, sandbox=FakeSandbox(answer), known=known or {}, subpath=subpath).files
    return {file.source.path: file for file in files}


def ids(result: FileResult) -> list[str]:
    return [dag.id for dag in result.dags]


def messages(result: FileResult) -> list[str]:
    return [item.message for item in result.diagnostics]


def test_creator_registers_it_and_the_importing_file_reports_that() -> None:
    results = compile_both(BASE, importing(X))
    assert ids(results["base.py"]) == ["x"]
    other = results["dags/a.py"]
    assert (other.status, other.dags, other.doubts, other.imported) == (FileStatus.NOT_A_DAG, (), (), ())
    assert other.diagnostics == (Diagnostic("imports 1 DAG of base.py", "dags/a.py"),)
    assert other.key
    assert other.traced_accesses == ("p:base.py", "d:base.py")


def test_importing_file_keeps_its_own_dags() -> None:
    other = compile_both(BASE, importing(X, own=(OWN,)))["dags/a.py"]
    assert (other.status, ids(other)) == (FileStatus.COMPILED, ["own"])
    assert messages(other) == ["imports 1 DAG of base.py"]


def test_only_the_dags_that_are_registered_elsewhere_are_counted() -> None:
    other = compile_both(BASE, importing(X, OWN))["dags/a.py"]
    assert (other.status, ids(other), messages(other)) == (
        FileStatus.COMPILED,
        ["own"],
        ["imports 1 DAG of base.py"],
    )


def test_own_dag_may_have_the_id_of_an_imported_dag() -> None:
    other = compile_both(BASE, importing(X, own=(CHANGED,)))["dags/a.py"]
    assert (other.status, other.dags) == (FileStatus.COMPILED, (CHANGED,))


@pytest.mark.parametrize("how", ["ignored", "subpath", "not there"])
def test_importing_file_registers_it_if_the_creator_is_no_source(how: str) -> None:
    ignore = {".kiokignore": "/base.py\n"} if how == "ignored" else {}
    base = {} if how == "not there" else {"base.py": "import kiok"}
    tree = MemoryTree({**ignore, **base, "dags/a.py": "import kiok, base"})
    results = compile_both(BASE, importing(X), tree=tree, subpath="dags" if how == "subpath" else "")
    assert list(results) == ["dags/a.py"]
    other = results["dags/a.py"]
    assert (other.status, other.dags, other.diagnostics) == (FileStatus.COMPILED, (X,), ())
    assert other.traced_accesses == ("p:base.py", "d:base.py")


def test_importing_file_reports_problems_if_the_creator_is_no_source() -> None:
    tree = MemoryTree({"dags/a.py": "import kiok, base"})
    other = compile_both(BASE, importing(problem="bad"), tree=tree)["dags/a.py"]
    assert (other.status, messages(other)) == (FileStatus.FAILED, ["bad"])


def test_dag_that_the_importing_file_changes_is_registered_there() -> None:
    other = compile_both(BASE, importing(CHANGED))["dags/a.py"]
    assert (other.status, other.dags, other.traced_accesses) == (FileStatus.COMPILED, (CHANGED,), EVERYTHING)


def test_dag_missing_from_its_creator_is_registered_by_the_importer() -> None:
    other = compile_both(LOADED, importing(X))["dags/a.py"]
    assert (other.status, other.dags, other.traced_accesses) == (FileStatus.COMPILED, (X,), EVERYTHING)


def test_two_registered_dags_of_one_id_are_an_error() -> None:
    other = compile_both(LOADED, importing(X, own=(CHANGED,)))["dags/a.py"]
    assert (other.status, other.dags) == (FileStatus.FAILED, ())
    assert messages(other)[0].startswith("2 DAGs of this file have this id")


def test_failed_creator_leaves_imported_dags_unregistered() -> None:
    other = compile_both(FAILED, importing(X))["dags/a.py"]
    assert (other.status, other.dags) == (FileStatus.NOT_A_DAG, ())
    assert [doubt.dag for doubt in other.doubts] == ["x"]
    assert messages(other) == [
        "this DAG is imported from base.py, which failed. It is registered under base.py once that file compiles"
    ]
    assert (other.traced_accesses, bool(other.key)) == (EVERYTHING, True)


def test_transient_failure_of_the_creator_recompiles_the_importer() -> None:
    other = compile_both(RawResult("base.py", CompileOutcome.TIMEOUT, detail="slow"), importing(X))[
        "dags/a.py"
    ]
    assert (other.key, other.retry, [doubt.dag for doubt in other.doubts]) == ("", False, ["x"])


def known_of(result: FileResult) -> CachedResult:
    dags = tuple((dag.id, dag.sha256) for dag in result.dags)
    return CachedResult(
        result.key,
        result.traced_accesses or (),
        result.image or "",
        result.status,
        result.diagnostics,
        dags=dags,
    )


@pytest.mark.parametrize(
    ("given", "imported", "kept"), [(BASE, X, []), (BASE, CHANGED, ["x"]), (LOADED, X, ["x"])]
)
def test_stored_dags_of_a_creator_count_if_it_was_not_compiled(
    given: CompiledFile, imported: DagSpec, kept: list[str]
) -> None:
    known = known_of(compile_both(given, LOADED)["base.py"])
    results = compile_both(FAILED, importing(imported), known={"base.py": known})
    assert results["base.py"].reused
    assert ids(results["dags/a.py"]) == kept


def test_cached_result_holds_until_the_creator_changes_as_a_source() -> None:
    files = {"base.py": "import kiok", "dags/a.py": "import kiok, base"}
    ignoring = {**files, ".kiokignore": "/base.py\n"}
    first = compile_both(BASE, importing(X))
    known = {path: known_of(result) for path, result in first.items()}
    again = compile_both(BASE, importing(X), known, MemoryTree({**files, "new.txt": ""}))
    assert [result.reused for result in again.values()] == [True, True]
    without = compile_both(BASE, importing(X), known, MemoryTree(ignoring))
    assert [(path, result.reused, ids(result)) for path, result in without.items()] == [
        ("dags/a.py", False, ["x"])
    ]
    known = {path: known_of(result) for path, result in without.items()}
    back = compile_both(BASE, importing(X), known, MemoryTree(files))
    assert [(path, result.reused, ids(result)) for path, result in back.items()] == [
        ("base.py", False, ["x"]),
        ("dags/a.py", False, []),
    ]


def test_imported_dags_are_decoded_as_they_were_encoded() -> None:
    there = importing(X, problem="bad")
    assert decode(there.encode()) == there


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"path": "a", "dags": []},
        {"path": "", "dags": [], "diagnostics": []},
        {"path": "a\nb", "dags": [], "diagnostics": []},
        {"path": 5, "dags": [], "diagnostics": []},
        {"path": "a", "dags": {}, "diagnostics": []},
        [],
    ],
)
def test_malformed_entries_are_refused(entry: object) -> None:
    with pytest.raises(CompiledFileError):
        CompiledFile.from_json({"dags": [], "diagnostics": [], "imported": [entry]})


def test_imported_dag_is_validated_again() -> None:
    bad = {"path": "base.py", "dags": [{**X.to_json(), "schedule": "* * *"}], "diagnostics": []}
    (group,) = CompiledFile.from_json({"dags": [], "diagnostics": [], "imported": [bad]}).imported
    assert (group.dags, [item.key for item in group.diagnostics]) == ((), ["schedule"])
