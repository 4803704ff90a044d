"""Reuse of cached results: traced accesses, and the key over all inputs of a compilation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from compilers.build_cache import CachedResult, CacheInputs, View
from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.result import FileResult, FileStatus
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.sandbox.limits import SandboxLimits
from compilers.source import DiscoveredFile
from kiok.compiled import MAX_QUESTION_CHARACTERS, MAX_QUESTIONS, CompiledFile, CompiledFileError, decode
from kiok.errors import Diagnostic
from kiok.spec import DagSpec, TaskSpec
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

BASE = {
    "dags/a.py": "a",
    "dags/lib.py": "lib",
    "dags/pkg/__init__.py": "",
    "dags/pkg/mod.py": "",
    "data/one.txt": "1",
    "data/deep/two.txt": "2",
}


def view(changes: Mapping[str, str | None] = {}) -> View:
    files = {path: text for path, text in {**BASE, **changes}.items() if text is not None}
    return View(MemoryTree(files).entries)


@pytest.mark.parametrize(
    ("question", "concerns", "concerns_not"),
    [
        ("p:data/one.txt", {"data/one.txt": "other"}, {"data/three.txt": ""}),
        ("p:data/one.txt", {"data/one.txt": None}, {"data/deep/two.txt": None}),
        ("p:gone", {"gone": ""}, {"gone.py": ""}),
        ("p:gone", {"gone/x": ""}, {"dags/gone": ""}),
        ("p:data", {"data/one.txt": None, "data/deep/two.txt": None}, {"data/one.txt": "other"}),
        ("p:x/y", {"x": "now a file, so that it is no folder"}, {"x/z": ""}),
        ("n:data", {"data/three.txt": ""}, {"data/one.txt": "longer"}),
        ("n:data", {"data/one.txt": None}, {"data/deep/more.txt": ""}),
        ("n:data", {"data/one.txt": None, "data/one.txt/x": ""}, {"other": ""}),
        ("n:gone", {"gone/x": ""}, {"x": ""}),
        ("n:", {"new.py": ""}, {"data/new.txt": ""}),
        ("s:data", {"data/one.txt": "longer"}, {"data/one.txt": "2"}),
        ("m:dags/gone", {"dags/gone.py": ""}, {"dags/gone.txt": ""}),
        ("m:dags/gone", {"dags/gone/x.txt": ""}, {"gone.py": ""}),
        ("m:dags/gone", {"dags/gone.pyc": ""}, {"dags/gone2.py": ""}),
        ("m:dags/gone", {"dags/gone.abi3.so": ""}, {"dags/gone": ""}),
        ("m:dags/lib", {"dags/lib/__init__.py": ""}, {"dags/lib.py": "changed: another question"}),
        ("m:dags/lib", {"dags/lib.cpython-311-x86_64-linux-gnu.so": ""}, {"dags/lib.md": ""}),
        ("m:dags/pkg", {"dags/pkg/__init__.py": None}, {"dags/pkg/more.py": ""}),
        ("m:dags/pkg", {"dags/pkg/__init__.pyc": ""}, {"dags/pkg/__init__.txt": ""}),
        ("m:gone", {"gone.so": ""}, {"dags/gone.so": ""}),
        ("*", {"data/one.txt": "other"}, {}),
        ("*", {"new": ""}, {}),
        ("of no kind", {"new": ""}, {}),
    ],
)
def test_answer_changes_only_with_the_accessed_path(
    question: str, concerns: dict[str, str | None], concerns_not: dict[str, str | None]
) -> None:
    before = view().answer(question)
    assert view(concerns).answer(question) != before
    assert view(concerns_not).answer(question) == before


def conditions(changes: Mapping[str, str | None] = {}, **others: Any) -> CacheInputs:
    return replace(CacheInputs(view(changes), "sha256:1", "limits-1", ("dags", "")), **others)


SOURCE = DiscoveredFile("dags/a.py", "python", "blob", 1)
QUESTIONS = ("p:data/one.txt", "m:dags/gone")


def known(**others: Any) -> CachedResult:
    result = FileResult(SOURCE, FileStatus.COMPILED, image="sha256:1", traced_accesses=QUESTIONS)
    key = conditions().with_cache_key(result).key
    assert key
    return CachedResult(key, QUESTIONS, "sha256:1", FileStatus.COMPILED)._replace(**others)


def test_result_holds_while_its_inputs_are_unchanged() -> None:
    result = conditions({"unrelated.py": "new"}).last_result(SOURCE, known())
    assert result is not None
    assert (result.reused, result.status, result.image) == (True, FileStatus.COMPILED, "sha256:1")
    assert (result.key, result.traced_accesses) == (known().key, QUESTIONS)


@pytest.mark.parametrize(
    ("now", "source"),
    [
        (conditions({"data/one.txt": "other"}), SOURCE),
        (conditions({"dags/gone.py": ""}), SOURCE),
        (conditions(image="sha256:2"), SOURCE),
        (conditions(limits="limits-2"), SOURCE),
        (conditions(import_roots=("",)), SOURCE),
        (conditions(), SOURCE._replace(blob="other")),
        (conditions(), SOURCE._replace(path="dags/b.py")),
        (conditions(), SOURCE._replace(kind="jar")),
    ],
    ids=[
        "a read",
        "a miss",
        "the image",
        "the limits",
        "the import roots",
        "its own",
        "its path",
        "its kind",
    ],
)
def test_result_is_invalid_after_one_input_changes(now: CacheInputs, source: DiscoveredFile) -> None:
    assert now.last_result(source, known()) is None


def test_result_without_a_key_is_not_reused() -> None:
    assert conditions().last_result(SOURCE, None) is None
    assert conditions().last_result(SOURCE, known(key="")) is None


def test_unavailable_image_counts_as_unchanged() -> None:
    assert conditions(image=None).last_result(SOURCE, known()) is not None
    assert conditions({"data/one.txt": "other"}, image=None).last_result(SOURCE, known()) is None


def test_failure_is_reused_with_its_diagnostics() -> None:
    failure = known(status=FileStatus.FAILED, diagnostics=(Diagnostic("wrong", "dags/a.py", 3),))
    result = conditions().last_result(SOURCE, failure)
    assert result is not None
    assert (result.status, result.diagnostics) == (FileStatus.FAILED, failure.diagnostics)


@pytest.mark.parametrize("outcome", [CompileOutcome.TIMEOUT, CompileOutcome.LOST])
def test_transient_failure_holds_while_its_inputs_are_unchanged(outcome: CompileOutcome) -> None:
    sandbox = FakeSandbox({"a.py": RawResult("a.py", outcome, detail="gone", seconds=30.0)})
    files = {"a.py": "import kiok, b", "b.py": "import c", "c.py": "", "other.yaml": ""}
    (first, *_) = compile_tree(MemoryTree(files), sandbox=sandbox).files
    assert (first.source.path, first.retry, bool(first.key)) == ("a.py", True, True)
    stored = {
        "a.py": CachedResult(
            first.key, first.traced_accesses or (), first.image or "", first.status, retry=True
        )
    }
    for path, is_kept in (
        ("other.yaml", True),
        ("a.py", False),
        ("b.py", False),
        ("c.py", False),
        ("d.py", True),
    ):
        tree = MemoryTree({**files, path: files.get(path, "") + "\n# changed"})
        (result, *_) = compile_tree(tree, sandbox=sandbox, known=stored).files
        assert (result.reused, result.retry) == (is_kept, True), path


@pytest.mark.parametrize("outcome", [CompileOutcome.TIMEOUT, CompileOutcome.LOST])
def test_timed_out_file_without_kiok_is_no_dag_until_imports_change(
    outcome: CompileOutcome,
) -> None:
    sandbox = FakeSandbox({"a.py": RawResult("a.py", outcome, detail="gone", seconds=30.0)})
    (result,) = compile_tree(MemoryTree({"a.py": "import other"}), sandbox=sandbox).files
    assert (result.status, result.retry, bool(result.key)) == (FileStatus.NOT_A_DAG, False, True)
    assert "p:other.py" in (result.traced_accesses or ())


def test_starved_file_has_no_key() -> None:
    for seconds in (0.0, 5.0):
        raw = RawResult("a.py", CompileOutcome.TIMEOUT, detail="the deadline passed", seconds=seconds)
        (result,) = compile_tree(
            MemoryTree({"a.py": "import kiok"}), sandbox=FakeSandbox({"a.py": raw})
        ).files
        assert (result.retry, result.starved, result.key) == (True, True, "")


def test_files_have_no_key_without_an_engine() -> None:
    (result,) = compile_tree(MemoryTree({"a.py": ""}), sandbox=FakeSandbox(unavailable="away")).files
    assert (result.retry, result.key) == (True, "")


@pytest.mark.parametrize("outcome", [CompileOutcome.KILLED, CompileOutcome.EXITED, CompileOutcome.TOO_LARGE])
def test_file_without_traced_accesses_depends_on_the_whole_tree(outcome: CompileOutcome) -> None:
    sandbox = FakeSandbox({"a.py": RawResult("a.py", outcome, detail="gone")})
    (result,) = compile_tree(MemoryTree({"a.py": "import kiok"}), sandbox=sandbox).files
    assert (result.traced_accesses, bool(result.key)) == (("*",), True)


class Incremental:
    """A compiler of successive trees that passes on the cached results."""

    def __init__(self, traced_accesses: Mapping[str, tuple[str, ...] | None] = {}) -> None:
        self._questions = traced_accesses
        self.known: dict[str, CachedResult] = {}
        self.sandbox = FakeSandbox(self.answer)

    def answer(self, job: SandboxJob, path: str) -> RawResult:
        dag = DagSpec(path.replace("/", "-"), path, (TaskSpec("t", script="a"),))
        compiled = CompiledFile(dags=(dag,), traced_accesses=self._questions.get(path, ()))
        return RawResult(path, CompileOutcome.OK, payload=compiled.encode())

    def compile(self, files: Mapping[str, str], **options: Any) -> set[str]:
        """Return the paths that were compiled now."""
        options = {"sandbox": self.sandbox, **options}
        compilation = compile_tree(MemoryTree(files), known=self.known, **options)
        for result in compilation.files:
            self.known[result.source.path] = CachedResult(
                result.key,
                result.traced_accesses or (),
                result.image or "",
                result.status,
                result.diagnostics,
            )
        return {result.source.path for result in compilation.files if not result.reused}


YAML = "dag: {id: y}\ntasks: [{id: t, script: a}]\n"
FILES = {"a.py": "a", "b.py": "b", "c.yaml": YAML, "d.jar": "PK", "data/x.txt": "x"}


def test_second_compilation_of_the_same_tree_starts_no_container() -> None:
    incremental = Incremental()
    assert incremental.compile(FILES) == {"a.py", "b.py", "c.yaml", "d.jar"}
    jobs = len(incremental.sandbox.jobs)
    assert incremental.compile(FILES) == set()
    assert len(incremental.sandbox.jobs) == jobs


def test_only_files_that_accessed_a_changed_path_are_recompiled() -> None:
    incremental = Incremental({"a.py": ("p:data/x.txt",)})
    incremental.compile(FILES)
    assert incremental.compile({**FILES, "data/x.txt": "y"}) == {"a.py"}
    assert incremental.compile({**FILES, "data/x.txt": "y", "b.py": "new"}) == {"b.py"}


def test_file_without_a_cached_result_is_compiled_at_every_change() -> None:
    incremental = Incremental({"a.py": None})
    incremental.compile(FILES)
    assert incremental.compile({**FILES, "b.py": "new"}) == {"a.py", "b.py"}
    assert incremental.compile({**FILES, "b.py": "new", "README": ""}) == {"a.py"}
    assert incremental.compile({**FILES, "b.py": "new", "README": ""}) == set()


def test_yaml_and_jars_depend_only_on_themselves() -> None:
    incremental = Incremental()
    incremental.compile(FILES)
    changed = {**FILES, "c.yaml": YAML + "# new\n"}
    assert incremental.compile(changed) == {"c.yaml"}
    assert incremental.compile({**changed, "d.jar": "PK2"}) == {"d.jar"}


def test_changed_limits_recompile_code_but_not_yaml() -> None:
    incremental = Incremental()
    incremental.compile(FILES)
    wider = FakeSandbox(incremental.answer, limits=SandboxLimits(file_timeout_seconds=99))
    assert incremental.compile(FILES, sandbox=wider) == {"a.py", "b.py", "d.jar"}
    assert incremental.compile(FILES, sandbox=wider) == set()


def test_changed_image_recompiles_its_files() -> None:
    incremental = Incremental()
    incremental.compile(FILES)
    newer = FakeSandbox(incremental.answer, digests={PYTHON: "sha256:new", JAVA: f"sha256:{'jar':0>64}"})
    assert incremental.compile(FILES, sandbox=newer) == {"a.py", "b.py"}


def test_sandbox_gets_all_files_and_compiles_the_changed_ones() -> None:
    incremental = Incremental()
    incremental.compile(FILES)
    incremental.compile({**FILES, "a.py": "new"})
    job = incremental.sandbox.jobs[-1]
    assert (list(job.files), [entry.path for entry in job.entries]) == (
        ["a.py"],
        ["a.py", "b.py", "c.yaml", "data/x.txt"],
    )


def test_file_that_is_no_dag_is_checked_again_if_its_imports_change() -> None:
    broken = CompiledFile(diagnostics=(Diagnostic("no module"),), import_failed=True, traced_accesses=())
    sandbox = FakeSandbox(lambda _job, path: RawResult(path, CompileOutcome.OK, payload=broken.encode()))
    before = {"a.py": "import lib", "z.py": ""}
    first = compile_tree(MemoryTree(before), sandbox=sandbox)
    known = {
        f.source.path: CachedResult(f.key, f.traced_accesses or (), f.image or "", f.status, f.diagnostics)
        for f in first.files
    }
    assert known["a.py"].status is FileStatus.NOT_A_DAG
    for path, text in (("lib.py", "import kiok"), ("lib/__init__.py", "import kiok")):
        second = compile_tree(MemoryTree({**before, path: text}), sandbox=sandbox, known=known)
        results = {file.source.path: file for file in second.files}
        assert (results["a.py"].reused, results["a.py"].status) == (False, FileStatus.FAILED)
        assert results["z.py"].reused


def test_texts_of_files_that_are_not_compiled_are_not_read() -> None:
    class Counting(MemoryTree):
        def read(self, entries: Any) -> Any:
            wanted = list(entries)
            read.extend(entry.path for entry in wanted)
            return super().read(wanted)

    read: list[str] = []
    compile_tree(Counting(FILES), sandbox=Incremental().sandbox, subpath="")
    assert sorted(read) == ["a.py", "b.py", "c.yaml", "d.jar"]


def payload(traced_accesses: object) -> bytes:
    return json.dumps({"dags": [], "diagnostics": [], "traced_accesses": traced_accesses}).encode()


def test_traced_accesses_are_sent_once_each() -> None:
    compiled = CompiledFile(traced_accesses=("p:a", "n:b"))
    assert decode(compiled.encode()) == compiled
    assert decode(payload(["p:a", "p:a"])).traced_accesses == ("p:a",)
    assert decode(CompiledFile().encode()).traced_accesses is None
    assert "traced_accesses" not in CompiledFile().to_json()


@pytest.mark.parametrize(
    "traced_accesses",
    [
        "p:a",
        None,
        {},
        [1],
        [None],
        ["p:a\nb"],
        ["p:\x00"],
        ["p:\ud800"],
        ["p:a"] * (MAX_QUESTIONS + 1),
        ["p:" + "a" * MAX_QUESTION_CHARACTERS],
    ],
)
def test_malformed_traced_accesses_are_refused(traced_accesses: object) -> None:
    with pytest.raises(CompiledFileError):
        decode(payload(traced_accesses))
