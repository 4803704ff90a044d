"""Small trees, compiled with a scripted sandbox."""

from __future__ import annotations

from typing import Any

from compilers.pipeline import Compilation
from compilers.result import FileResult
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from kiok.compiled import CompiledFile
from kiok.spec import DagSpec, TaskSpec
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
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
    """Return the result of one Python file for which the sandbox returns `raw`."""
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
