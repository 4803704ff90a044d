"""Python sources compiled in this process, and their results."""

from __future__ import annotations

from pathlib import Path

from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile
from kiok.spec import DagSpec


def compiled(folder: Path, source: str, name: str = "dags.py", roots: tuple[Path, ...] = ()) -> CompiledFile:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("from kiok import Dag, Task, conn, secret\n" + source)
    return compile_python_file(file, roots)


def spec_of(result: CompiledFile) -> DagSpec:
    assert result.diagnostics == ()
    assert len(result.dags) == 1
    return result.dags[0]


def problems_of(result: CompiledFile) -> list[tuple[int | None, str | None, str | None, str]]:
    assert not result.import_failed, result.diagnostics
    return [(found.line, found.task, found.key, found.message) for found in result.diagnostics]
