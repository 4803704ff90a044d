"""The compilation of a tree: one result per source, and failures of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from compilers.formats import python as python_format
from compilers.formats import yaml
from compilers.ignore_rules import IgnoreFileError
from compilers.pipeline import Compilation, compile_work, find_work
from compilers.result import FileStatus
from compilers.sandbox.base import RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.limits import SandboxLimits
from compilers.source import Ignored, TreeEntry
from kiok.compiled import CompiledFile
from kiok.yaml_dag import compile_yaml
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.pipeline_runs import PYTHON, TREE, YAML, by_path, message, one_dag_each
from tests.support.trees import MemoryTree


def test_every_source_gets_one_result_sorted_by_path() -> None:
    sandbox = FakeSandbox(one_dag_each)
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=sandbox))
    assert {path: (result.status, [spec.id for spec in result.dags]) for path, result in results.items()} == {
        "a.yaml": (FileStatus.COMPILED, ["y"]),
        "b.py": (FileStatus.COMPILED, ["b.py"]),
        "c.jar": (FileStatus.COMPILED, ["c.jar"]),
        "d.yml": (FileStatus.NOT_A_DAG, []),
        "dags/e.py": (FileStatus.COMPILED, ["dags-e.py"]),
    }


def test_results_carry_text_image_time_and_whether_uids_have_the_id() -> None:
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=FakeSandbox(one_dag_each)))
    assert (results["a.yaml"].text, results["a.yaml"].image, results["a.yaml"].keyed) == (YAML, None, False)
    python, jar = results["b.py"], results["c.jar"]
    assert (python.text, python.keyed, python.seconds) == (PYTHON, True, 0.5)
    assert jar.text is None
    assert (python.image, jar.image) == (f"sha256:{'python':0>64}", f"sha256:{'jar':0>64}")


def test_one_container_per_language_gets_what_it_needs_and_no_more() -> None:
    sandbox = FakeSandbox(one_dag_each)
    labels = (("kiok.service", "s"),)
    compile_tree(MemoryTree(TREE), sandbox=sandbox, subpath="dags", labels=labels)
    (job,) = sandbox.jobs  # nothing but Python is under the subpath
    assert (job.language.name, list(job.files), list(job.import_roots)) == (
        "python",
        ["dags/e.py"],
        ["dags", ""],
    )
    assert [entry.path for entry in job.entries] == ["a.yaml", "b.py", "d.yml", "dags/e.py"]
    assert job.labels == labels

    compile_tree(MemoryTree(TREE), sandbox=sandbox)
    python, jar = sandbox.jobs[1:]
    assert (python.language.name, list(python.import_roots)) == ("python", [""])
    assert (jar.language.name, list(jar.files), [entry.path for entry in jar.entries]) == (
        "jar",
        ["c.jar"],
        ["c.jar"],
    )


def test_links_are_never_given_to_the_sandbox() -> None:
    sandbox = FakeSandbox(one_dag_each)
    tree = MemoryTree(
        {"a.py": "", "link.txt": "/etc/passwd", "sub": ""}, modes={"link.txt": "120000", "sub": "160000"}
    )
    compilation = compile_tree(tree, sandbox=sandbox)
    assert [entry.path for entry in sandbox.jobs[0].entries] == ["a.py"]
    assert compilation.ignored == (
        Ignored("link.txt", "symbolic link to /etc/passwd"),
        Ignored("sub", "submodule"),
    )


def test_yaml_alone_needs_no_container() -> None:
    sandbox = FakeSandbox(unavailable="no engine")
    (result,) = compile_tree(MemoryTree({"a.yaml": YAML}), sandbox=sandbox).files
    assert (result.status, sandbox.jobs) == (FileStatus.COMPILED, [])


def test_find_work_counts_the_files_and_compile_work_reports_each() -> None:
    told: list[tuple[int, int]] = []
    tree = MemoryTree(TREE, oversized=[TreeEntry("z.jar", "100644", "b", 10**9)])
    sandbox = FakeSandbox(one_dag_each)
    work = find_work(tree, sandbox=sandbox)
    assert sum(share.due for share in work.shares) == sum(share.found for share in work.shares) == 5
    assert sandbox.jobs == []
    compile_work(work, progress=lambda *counts: told.append(counts))
    assert told == [(done, 5) for done in range(1, 6)]


def test_an_empty_tree_gives_nothing() -> None:
    assert compile_tree(MemoryTree({}), sandbox=FakeSandbox()) == Compilation((), ())


def test_files_refused_by_name_or_size_fail_and_the_others_compile() -> None:
    tree = MemoryTree(
        {"a.yaml": YAML},
        oversized=[TreeEntry("big.py", "100644", "b", 10**9)],
        refused=[Ignored("x::y.yaml", "it contains '::'")],
    )
    results = by_path(compile_tree(tree, sandbox=FakeSandbox()))
    assert {path: result.status.value for path, result in results.items()} == {
        "a.yaml": "compiled",
        "big.py": "failed",
        "x::y.yaml": "failed",
    }
    assert "1000000000 bytes" in message(results["big.py"])
    assert not results["big.py"].retry


def test_an_ignore_file_that_cannot_be_read_stops_the_whole_tree() -> None:
    with pytest.raises(IgnoreFileError):
        compile_tree(MemoryTree({**TREE, ".kiokignore": b"\xff"}), sandbox=FakeSandbox(one_dag_each))


def test_without_a_sandbox_python_and_jars_fail_for_now_and_yaml_compiles() -> None:
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=FakeSandbox(unavailable="no engine answers")))
    assert results["a.yaml"].status is FileStatus.COMPILED
    for path in ("b.py", "c.jar", "dags/e.py"):
        assert (results[path].status, results[path].retry) == (FileStatus.FAILED, True)
        assert message(results[path]) == "sandbox unavailable: no engine answers"
    assert results["b.py"].text == PYTHON


def test_a_python_file_without_kiok_fails_when_there_is_no_sandbox() -> None:
    # It was never run, so nothing is known of it.
    tree = MemoryTree({"setup.py": "import setuptools"})
    (result,) = compile_tree(tree, sandbox=FakeSandbox(unavailable="no engine")).files
    assert (result.status, result.retry) == (FileStatus.FAILED, True)


def test_an_image_that_is_missing_fails_its_language_only() -> None:
    sandbox = FakeSandbox(one_dag_each, digests={python_format.PYTHON: "sha256:1"})
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=sandbox))
    assert results["b.py"].status is FileStatus.COMPILED
    assert message(results["c.jar"]) == "sandbox unavailable: no image is configured for jar files"


class _Ends(FakeSandbox):
    """Answers one file and then ends in its own way."""

    def __init__(self, end: Callable[[], None]) -> None:
        super().__init__(one_dag_each)
        self._end = end

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        for raw in super().run(job):
            yield raw
            self._end()
            return


def _gone() -> None:
    raise SandboxUnavailable("the engine went away")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (_gone, "sandbox unavailable: the engine went away"),
        (lambda: None, "the sandbox returned no result for this file"),
    ],
)
def test_files_without_an_answer_are_transient_and_answered_ones_count(
    end: Callable[[], None], expected: str
) -> None:
    tree = MemoryTree({f"{name}.py": PYTHON for name in "abc"})
    results = by_path(compile_tree(tree, sandbox=_Ends(end)))
    assert results["a.py"].status is FileStatus.COMPILED
    assert [(message(results[path]), results[path].retry) for path in ("b.py", "c.py")] == [
        (expected, True)
    ] * 2


def test_a_tree_over_the_sandboxes_limits_fails_each_file_with_the_limit() -> None:
    sandbox = FakeSandbox(one_dag_each, limits=SandboxLimits(src_inodes=3))
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=sandbox))
    assert "at most 3" in message(results["b.py"])
    assert message(results["dags/e.py"]) == message(results["b.py"])
    assert (results["b.py"].status, results["b.py"].retry) == (FileStatus.FAILED, False)
    assert results["a.yaml"].status is results["c.jar"].status is FileStatus.COMPILED


def test_a_fault_of_the_yaml_compiler_stops_no_other_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(text: bytes, path: str) -> CompiledFile:
        if path == "b.yaml":
            raise RecursionError("too deep")
        return compile_yaml(text, path)

    monkeypatch.setattr(yaml, "compile_yaml", faulty)
    tree = MemoryTree({"a.yaml": YAML, "b.yaml": YAML, "c.yaml": YAML})
    results = by_path(compile_tree(tree, sandbox=FakeSandbox()))
    assert [result.status.value for result in results.values()] == ["compiled", "failed", "compiled"]
    assert (
        message(results["b.yaml"])
        == "internal error of the YAML compiler: RecursionError. See the service log"
    )
    assert (results["b.yaml"].retry, results["b.yaml"].text) == (True, YAML)
    assert "b.yaml" in caplog.text


def test_broken_yaml_is_its_own_failure_with_the_place() -> None:
    tree = MemoryTree({"a.yaml": "dag: {id: a}\ntasks: [}\n", "b.yaml": YAML})
    results = by_path(compile_tree(tree, sandbox=FakeSandbox()))
    (problem,) = results["a.yaml"].diagnostics
    assert (problem.path, problem.line, results["a.yaml"].retry) == ("a.yaml", 2, False)
    assert results["b.yaml"].status is FileStatus.COMPILED


def test_the_failed_files_of_a_compilation_are_those_that_failed() -> None:
    compilation = compile_tree(MemoryTree(TREE), sandbox=FakeSandbox(unavailable="no"))
    assert [file.source.path for file in compilation.failed] == ["b.py", "c.jar", "dags/e.py"]
