"""From a tree to one judged result per source, with a scripted sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compilers.formats import python as python_format
from compilers.formats import yaml
from compilers.ignore_rules import IgnoreFileError
from compilers.pipeline import Compilation, compile_work, find_work
from compilers.result import FileResult, FileStatus
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.fake import FakeSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.source import Ignored, TreeEntry
from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from kiok.spec import DagSpec, TaskSpec
from kiok.yaml_dag import compile_yaml
from tests.support.compilation import compile_tree
from tests.support.trees import MemoryTree

YAML = "dag: {id: y}\ntasks: [{id: t, script: a}]\n"
PYTHON = "from kiok import Dag\n"
TREE: dict[str, bytes | str] = {
    "a.yaml": YAML,
    "b.py": PYTHON,
    "c.jar": b"PK",
    "d.yml": "other: 1\n",
    "dags/e.py": PYTHON,
}


def dag(id_: str) -> DagSpec:
    return DagSpec(id_, id_, (TaskSpec("t", script="a"),))


def ok(path: str, compiled: CompiledFile | bytes, **more: Any) -> RawResult:
    payload = compiled if isinstance(compiled, bytes) else compiled.encode()
    return RawResult(path, CompileOutcome.OK, payload=payload, **more)


def one_dag_each(_job: SandboxJob, path: str) -> RawResult:
    return ok(path, CompiledFile(dags=(dag(path.replace("/", "-")),)), seconds=0.5)


def compile_one(raw: RawResult, text: str = PYTHON, **others: str) -> FileResult:
    """The result of one Python file for which the sandbox says `raw`."""
    tree = MemoryTree({raw.path: text, **others})
    sandbox = FakeSandbox(lambda _job, path: raw if path == raw.path else ok(path, CompiledFile()))
    (result,) = (f for f in compile_tree(tree, sandbox=sandbox).files if f.source.path == raw.path)
    return result


def by_path(compilation: Compilation) -> dict[str, FileResult]:
    paths = [file.source.path for file in compilation.files]
    assert paths == sorted(set(paths))
    return {file.source.path: file for file in compilation.files}


def message(result: FileResult) -> str:
    (diagnostic,) = result.diagnostics
    assert diagnostic.path == result.source.path
    return diagnostic.message


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


def test_find_work_counts_the_files_to_compile_and_compile_work_reports_each() -> None:
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


def test_files_that_are_refused_by_name_or_size_fail_and_the_others_compile() -> None:
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


@pytest.mark.parametrize(
    ("outcome", "retry"),
    [
        (CompileOutcome.TIMEOUT, True),
        (CompileOutcome.LOST, True),
        (CompileOutcome.KILLED, False),
        (CompileOutcome.EXITED, False),
        (CompileOutcome.TOO_LARGE, False),
    ],
)
def test_every_bad_end_of_a_process_is_a_failure_with_its_reason(
    outcome: CompileOutcome, retry: bool
) -> None:
    raw = RawResult("a.py", outcome, output="it printed this", detail="stopped after 30 s", seconds=30.0)
    result = compile_one(raw)
    assert (result.status, result.retry, result.doubts) == (FileStatus.FAILED, retry, ())
    assert message(result).startswith("stopped after 30 s")
    assert result.diagnostics[0].output == "it printed this"
    assert (result.seconds, result.text, result.dags) == (30.0, PYTHON, ())
    without_detail = message(compile_one(RawResult("a.py", outcome)))
    assert without_detail.startswith(f"its process ended without a result: {outcome.value}")


def test_no_outcome_is_left_untested() -> None:
    assert {*CompileOutcome} - {CompileOutcome.OK} == {
        CompileOutcome.TIMEOUT,
        CompileOutcome.LOST,
        CompileOutcome.KILLED,
        CompileOutcome.EXITED,
        CompileOutcome.TOO_LARGE,
    }


@pytest.mark.parametrize(
    ("compiled", "status"),
    [
        (CompiledFile(dags=(dag("x"),)), FileStatus.COMPILED),
        (CompiledFile(), FileStatus.NOT_A_DAG),
        (CompiledFile(diagnostics=(Diagnostic("bad"),)), FileStatus.FAILED),
        (CompiledFile(dags=(dag("x"),), diagnostics=(Diagnostic("bad"),)), FileStatus.FAILED),
        (CompiledFile(diagnostics=(Diagnostic("bad"),), import_failed=True), FileStatus.FAILED),
        (CompiledFile(doubts=(Diagnostic("unclear", "a.py"),)), FileStatus.NOT_A_DAG),
        (CompiledFile(dags=(dag("x"),), doubts=(Diagnostic("unclear", "a.py"),)), FileStatus.COMPILED),
    ],
)
def test_what_a_file_delivers_tells_its_status(compiled: CompiledFile, status: FileStatus) -> None:
    result = compile_one(ok("a.py", compiled))
    assert (result.status, result.dags, result.doubts) == (status, compiled.dags, compiled.doubts)


def test_a_file_without_a_dag_always_carries_the_reason() -> None:
    given = compile_one(ok("a.py", CompiledFile(not_a_dag=Diagnostic("a library", line=3))))
    assert given.diagnostics == (Diagnostic("a library", "a.py", 3),)
    assert compile_one(ok("a.py", CompiledFile())).diagnostics == (Diagnostic("it defines no DAG", "a.py"),)


def test_the_first_problem_carries_what_the_file_printed() -> None:
    compiled = CompiledFile(diagnostics=(Diagnostic("one"), Diagnostic("two")))
    result = compile_one(ok("a.py", compiled, output="printed"))
    assert [problem.output for problem in result.diagnostics] == ["printed", None]


GOOD = CompiledFile(dags=(dag("x"),)).to_json()
HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "NaN": b'{"dags": NaN, "diagnostics": []}',
    "deep": b'{"dags": ' + b"[" * 100_000,
    "trailing data": json.dumps(GOOD).encode() + b"{}",
    "two keys of one name": b'{"dags": [], "dags": [], "diagnostics": []}',
    "an unknown key": json.dumps({**GOOD, "path": "../../etc"}).encode(),
    "no diagnostics": b'{"dags": []}',
    "a long number": b'{"dags": [], "diagnostics": [{"message": "x", "line": ' + b"9" * 5000 + b"}]}",
    "a line of 0": b'{"dags": [], "diagnostics": [{"message": "x", "line": 0}]}',
    "half a surrogate pair in a key": b'{"dags": [], "diagnostics": [], "\\ud800": 1}',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_payload_that_is_no_valid_result_is_the_files_failure(payload: bytes) -> None:
    result = compile_one(ok("a.py", payload, output="o"))
    assert (result.status, result.dags, result.retry) == (FileStatus.FAILED, (), False)
    assert message(result).startswith("what the compiler of this file delivered is no valid result: ")
    assert result.diagnostics[0].output == "o"
    message(result).encode()


def test_dags_that_do_not_validate_are_not_taken_from_a_container() -> None:
    forged = CompiledFile(dags=(dag("good"),)).to_json()
    forged["dags"].append({**dag("bad").to_json(), "schedule": "* * *"})
    forged["dags"].append({**dag("worse").to_json(), "tasks": [{"id": "t", "type": "root"}]})
    result = compile_one(ok("a.py", json.dumps(forged).encode()))
    assert result.status is FileStatus.FAILED
    assert [spec.id for spec in result.dags] == ["good"]
    assert {problem.dag for problem in result.diagnostics} == {"bad", "worse"}
    assert {problem.path for problem in result.diagnostics} == {"a.py"}


def test_a_problem_is_put_under_the_files_own_path_whatever_path_it_claims() -> None:
    lying = CompiledFile(
        diagnostics=(Diagnostic("x", path="../../somebody/elses.py", line=3), Diagnostic("y"))
    )
    assert [(p.path, p.line) for p in compile_one(ok("a.py", lying)).diagnostics] == [
        ("a.py", 3),
        ("a.py", None),
    ]


def test_nothing_that_a_database_refuses_comes_through() -> None:
    bad = "a\x00b\ud800c"
    compiled = {
        "dags": [],
        "diagnostics": [dict.fromkeys(("message", "path", "dag", "task", "key", "output"), bad)],
    }
    results = [
        compile_one(ok("a.py", json.dumps(compiled).encode()), text="x = '\x00'"),
        compile_one(ok("a.py", json.dumps(compiled).encode(), output=bad)),
        compile_one(RawResult("a.py", CompileOutcome.KILLED, output=bad, detail=bad)),
        compile_one(ok("a.py", b"{", output=bad)),
    ]
    for result in results:
        texts = [
            text
            for problem in result.diagnostics
            for text in problem.to_json().values()
            if isinstance(text, str)
        ]
        assert {"a\\u0000b\\ud800c", "a\ufffdb?c"} & {*texts}, "nothing came through at all"
        for text in [*texts, result.text or ""]:
            assert "\x00" not in text
            text.encode("utf-8")


def test_the_text_of_a_file_is_kept_as_far_as_it_can_be_stored() -> None:
    tree = MemoryTree({"a.py": b"caf\xe9\x00 \xc3\xa9", "b.yaml": b"# \xff\x00"})
    results = by_path(compile_tree(tree, sandbox=FakeSandbox(one_dag_each)))
    assert results["a.py"].text == "caf\ufffd\ufffd é"
    assert results["b.yaml"].text == "# \ufffd\ufffd"


def test_without_a_sandbox_python_and_jars_fail_for_now_and_yaml_compiles() -> None:
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=FakeSandbox(unavailable="no engine answers")))
    assert results["a.yaml"].status is FileStatus.COMPILED
    for path in ("b.py", "c.jar", "dags/e.py"):
        assert (results[path].status, results[path].retry) == (FileStatus.FAILED, True)
        assert message(results[path]) == "sandbox unavailable: no engine answers"
    assert results["b.py"].text == PYTHON


def test_a_python_file_without_a_word_of_kiok_fails_too_when_there_is_no_sandbox() -> None:
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
    ("end", "said"),
    [
        (_gone, "sandbox unavailable: the engine went away"),
        (lambda: None, "the sandbox returned no result for this file"),
    ],
)
def test_files_left_without_an_answer_fail_for_now_and_the_answered_ones_count(
    end: Callable[[], None], said: str
) -> None:
    tree = MemoryTree({f"{name}.py": PYTHON for name in "abc"})
    results = by_path(compile_tree(tree, sandbox=_Ends(end)))
    assert results["a.py"].status is FileStatus.COMPILED
    assert [(message(results[path]), results[path].retry) for path in ("b.py", "c.py")] == [(said, True)] * 2


def test_a_tree_over_the_sandboxes_limits_fails_each_file_with_the_limit() -> None:
    sandbox = FakeSandbox(one_dag_each, limits=SandboxLimits(src_inodes=3))
    results = by_path(compile_tree(MemoryTree(TREE), sandbox=sandbox))
    assert "at most 3" in message(results["b.py"])
    assert message(results["dags/e.py"]) == message(results["b.py"])
    assert (results["b.py"].status, results["b.py"].retry) == (FileStatus.FAILED, False)
    assert results["a.yaml"].status is results["c.jar"].status is FileStatus.COMPILED


UNLOADABLE = CompiledFile(diagnostics=(Diagnostic("no module named 'pandas'"),), import_failed=True)


@pytest.mark.parametrize(
    "raw",
    [
        ok("tool.py", UNLOADABLE),
        RawResult("tool.py", CompileOutcome.TIMEOUT, detail="over 30 s"),
        RawResult("tool.py", CompileOutcome.EXITED, detail="ended with status 2"),
        ok("tool.py", b"{"),
    ],
    ids=["not imported", "timeout", "exited", "garbled"],
)
def test_a_file_that_cannot_be_loaded_and_has_nothing_to_do_with_kiok_is_no_dag_and_unproven(
    raw: RawResult,
) -> None:
    result = compile_one(raw, "import pandas, helper", **{"helper.py": "x = 1"})
    assert (result.status, result.retry) == (FileStatus.NOT_A_DAG, False)
    assert result.doubts
    assert result.diagnostics == result.doubts
    assert result.diagnostics, "why it could not be loaded is kept"
    assert (
        compile_one(raw, "import pandas, helper", **{"helper.py": "import kiok"}).status is FileStatus.FAILED
    )
    assert compile_one(raw, "import pandas, kiok").status is FileStatus.FAILED


def test_a_file_that_loads_and_has_problems_fails_even_without_a_word_of_kiok() -> None:
    compiled = CompiledFile(diagnostics=(Diagnostic("bad"),))
    result = compile_one(ok("tool.py", compiled), "globals().update(made())")
    assert (result.status, result.doubts) == (FileStatus.FAILED, ())


def test_a_jar_that_cannot_be_loaded_is_a_failure() -> None:
    sandbox = FakeSandbox({"a.jar": ok("a.jar", UNLOADABLE)})
    (result,) = compile_tree(MemoryTree({"a.jar": b"PK"}), sandbox=sandbox).files
    assert (result.status, result.doubts) == (FileStatus.FAILED, ())


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
