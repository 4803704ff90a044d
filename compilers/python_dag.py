"""Python sources: run in the sandbox, with the whole repository beside them to import from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from compilers.base import Batch, FileResult, FileStatus, Kind
from compilers.imports import ImportGraph
from compilers.results import readable
from compilers.sandboxed import run_batch


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every Python source of the batch.

    A module that could not be loaded is an error only if it, or a module of the repository that it imports,
    mentions kiok. Else it is some other Python file (a setup.py, a tool) and listed as no DAG, unproven.
    """
    texts = _python_texts(batch)
    entries = [entry for entry in batch.tree.entries if entry.is_file and not entry.path.endswith(".jar")]
    imports = ImportGraph(texts, roots=(batch.subpath, ""))
    for result, unloadable in run_batch(batch, Kind.PYTHON, entries, texts):
        if unloadable and not imports.mentions_kiok(result.source.path):
            yield replace(result, status=FileStatus.NOT_A_DAG, dags=(), proven=False, retry=False)
        else:
            yield result


def _python_texts(batch: Batch) -> Mapping[str, str]:
    """Every Python file of the tree, since any of them may be imported."""
    entries = [entry for entry in batch.tree.entries if entry.is_file and entry.path.endswith(".py")]
    return {entry.path: readable(content) for entry, content in batch.tree.read(entries)}
