"""Java sources: jars, compiled by running each `KiokDag` class in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compilers.base import Batch, FileResult, Kind
from compilers.sandboxed import run_batch


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every jar of the batch. A jar is self-contained: the container gets jars only."""
    wanted = {source.path for source in batch.sources}
    entries = [entry for entry in batch.tree.entries if entry.path in wanted]
    for result, _ in run_batch(batch, Kind.JAR, entries, texts={}):
        # It saw nothing but itself, so there was nothing to ask.
        yield result if result.questions is None else replace(result, questions=())
