"""A first compilation with a part of the commit, and a second one with the whole commit where needed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from compilers.build_cache import CachedResult
from compilers.partial import MIN_FILES_SAVED
from compilers.pipeline import Compilation
from compilers.result import FileStatus
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from kiok.compiled import CompiledFile
from kiok.spec import DagSpec, TaskSpec
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

OTHERS = {f"other/{number}.txt": "" for number in range(MIN_FILES_SAVED)}
FILES = {"a.py": "a", "b.py": "b", "lib.py": "", "lib/__init__.py": "", "data/x.txt": "x", **OTHERS}
WHOLE = set(FILES)
EARLIER = ("m:lib", "p:lib/__init__.py", "m:json", "p:gone.txt")


def payload(path: str, *traced_accesses: str) -> RawResult:
    dag = DagSpec(id=path[0], name=path[0], tasks=(TaskSpec(id="t", script="s"),))
    compiled = CompiledFile(dags=(dag,), traced_accesses=tuple(sorted(traced_accesses)))
    return RawResult(path, CompileOutcome.OK, json.dumps(compiled.to_json()).encode())


def known(
    *traced_accesses: str, status: FileStatus = FileStatus.COMPILED, retry: bool = False
) -> CachedResult:
    return CachedResult("another key", tuple(traced_accesses), "sha256:1", status, retry=retry)


def compiled(
    answers: Mapping[str, RawResult], earlier: Mapping[str, CachedResult], files: Mapping[str, str] = FILES
) -> tuple[Compilation, list[set[str]]]:
    """Return the compilation, and the entries of each container."""
    sandbox = FakeSandbox(answers)
    compilation = compile_tree(MemoryTree(files), sandbox=sandbox, known=earlier)
    return compilation, [{entry.path for entry in job.entries} for job in sandbox.jobs]


EVERY_KNOWN = {path: known(*EARLIER) for path in ("a.py", "b.py", "lib.py", "lib/__init__.py")}


def test_container_gets_the_files_and_their_last_accesses() -> None:
    answers = {path: payload(path, "m:lib", "p:lib/__init__.py", "m:json") for path in EVERY_KNOWN}
    compilation, given = compiled(answers, EVERY_KNOWN)
    assert given == [{"a.py", "b.py", "lib.py", "lib/__init__.py"}]
    assert [result.status for result in compilation.files] == [FileStatus.COMPILED] * 4


@pytest.mark.parametrize(
    "question",
    ["p:data/x.txt", "p:data", "m:other", "n:", "n:other", "s:data", "*"],
)
def test_file_that_reads_more_is_compiled_again_with_the_commit(question: str) -> None:
    answers = {path: payload(path) for path in EVERY_KNOWN} | {"b.py": payload("b.py", question)}
    sandbox = FakeSandbox(answers)
    compile_tree(MemoryTree(FILES), sandbox=sandbox, known=EVERY_KNOWN)
    assert [list(job.files) for job in sandbox.jobs] == [list(EVERY_KNOWN), ["b.py"]]
    assert {entry.path for entry in sandbox.jobs[1].entries} == WHOLE


@pytest.mark.parametrize(
    "first",
    [
        RawResult("b.py", CompileOutcome.TIMEOUT, detail="slow"),
        RawResult("b.py", CompileOutcome.LOST, detail="gone"),
        RawResult("b.py", CompileOutcome.OK, b"{}"),
    ],
    ids=["time-out", "lost", "no answer that can be read"],
)
def test_only_a_compiled_file_is_final_with_a_part(first: RawResult) -> None:
    """The second result counts in every other case."""

    def script(job: SandboxJob, path: str) -> RawResult:
        if path == "b.py" and len(job.entries) < len(WHOLE):
            return first
        return payload(path)

    sandbox = FakeSandbox(script)
    compilation = compile_tree(MemoryTree(FILES), sandbox=sandbox, known=EVERY_KNOWN)
    assert [list(job.files) for job in sandbox.jobs] == [list(EVERY_KNOWN), ["b.py"]]
    assert not compilation.failed


def test_equal_answers_need_no_second_compilation() -> None:
    answers = {path: payload(path, "p:gone.txt", "p:lib.py", "m:nothing") for path in EVERY_KNOWN}
    _, given = compiled(answers, EVERY_KNOWN)
    assert len(given) == 1


@pytest.mark.parametrize(
    "changed",
    [
        None,
        known("n:data"),
        known("s:data"),
        known("*"),
        known("d:a.py"),
        known(retry=True),
        known(status=FileStatus.FAILED),
        known(status=FileStatus.NOT_A_DAG),
    ],
    ids=["new", "lists", "lists sizes", "everything", "a source", "a retry", "failed", "no DAG"],
)
def test_one_file_with_unknown_accesses_needs_the_whole_commit(changed: CachedResult | None) -> None:
    earlier = {path: item for path, item in {**EVERY_KNOWN, "b.py": changed}.items() if item is not None}
    _, given = compiled({path: payload(path) for path in EVERY_KNOWN}, earlier)
    assert given == [WHOLE]


def test_small_commit_is_sent_whole() -> None:
    files = {path: text for path, text in FILES.items() if path != "other/0.txt" and path != "data/x.txt"}
    _, given = compiled({path: payload(path) for path in EVERY_KNOWN}, EVERY_KNOWN, files)
    assert given == [set(files)]


def test_failure_without_a_container_is_not_repeated() -> None:
    sandbox = FakeSandbox(unavailable="no engine")
    notes: list[str] = []
    compilation = compile_tree(
        MemoryTree(FILES), sandbox=sandbox, known=EVERY_KNOWN, note=lambda text: notes.append(text)
    )
    assert {result.unavailable for result in compilation.files} == {"sandbox_unavailable"}
    assert not any("again" in note for note in notes)
