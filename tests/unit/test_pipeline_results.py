"""The result of one file: its status, its problems, and what of its text is kept."""

from __future__ import annotations

import json

import pytest

from compilers.result import FileStatus
from compilers.sandbox.base import CompileOutcome, RawResult
from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.pipeline_runs import PYTHON, by_path, compile_one, dag, message, ok, one_dag_each
from tests.support.trees import MemoryTree


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
def test_a_file_that_cannot_be_loaded_and_lacks_kiok_is_no_dag(
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


def test_a_file_that_loads_with_problems_fails_even_without_kiok() -> None:
    compiled = CompiledFile(diagnostics=(Diagnostic("bad"),))
    result = compile_one(ok("tool.py", compiled), "globals().update(made())")
    assert (result.status, result.doubts) == (FileStatus.FAILED, ())


def test_a_jar_that_cannot_be_loaded_is_a_failure() -> None:
    sandbox = FakeSandbox({"a.jar": ok("a.jar", UNLOADABLE)})
    (result,) = compile_tree(MemoryTree({"a.jar": b"PK"}), sandbox=sandbox).files
    assert (result.status, result.doubts) == (FileStatus.FAILED, ())
