"""Java sources: jars, compiled by running each `KiokDag` class in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compilers.formats.base import Batch
from compilers.result import FileResult, opaque_result
from compilers.sandboxed import run_batch
from compilers.source import Kind


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every jar of the batch. A jar is self-contained: the container gets jars only.

    Encrypted jars and Git LFS pointers fail without a container.
    """
    wanted = {source.path: source for source in batch.sources}
    for entry, content in batch.tree.read([entry for entry in batch.tree.entries if entry.path in wanted]):
        if opaque := opaque_result(wanted[entry.path], content):
            del wanted[entry.path]
            yield opaque
    if not wanted:
        return
    batch = replace(batch, sources=list(wanted.values()))
    entries = [entry for entry in batch.tree.entries if entry.path in wanted]
    for result, _ in run_batch(batch, Kind.JAR, entries, texts={}):
        # A jar sees only itself, so it asked nothing of the tree.
        yield result if result.traced_accesses is None else replace(result, traced_accesses=())
