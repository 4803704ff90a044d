"""Java sources: jars, compiled by running each `KiokDag` class in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compilers.formats.base import Batch, Format
from compilers.formats.sandboxed import run_batch
from compilers.result import FileResult, opaque_result
from compilers.sandbox.language import Language

JAVA = Language(
    name="jar",
    title="Java",
    image_title="image for jars",
    image_property="kiok.sandbox.image.java",
    image_field="imageJava",
    timeout_limit="jar_timeout_seconds",
    cpus_limit="jar_cpus",  # a JVM compiles in the background
    is_process_memory_limited=False,  # a JVM reserves far more memory than it uses, and has its own heap limit
    files_per_container=3,
)


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every jar of the batch. A jar is self-contained: the container gets jars only.

    Encrypted jars and Git LFS pointers fail without a container.
    """
    wanted = {source.path: source for source in batch.sources}
    for entry, content in batch.tree.read([entry for entry in batch.tree.entries if entry.path in wanted]):
        if opaque := opaque_result(wanted[entry.path], content, noun="jar"):
            del wanted[entry.path]
            yield opaque
    if not wanted:
        return
    batch = replace(batch, sources=list(wanted.values()))
    entries = [entry for entry in batch.tree.entries if entry.path in wanted]
    for result, _ in run_batch(batch, JAVA, entries, texts={}):
        # A jar sees only itself, so it asked nothing of the tree.
        yield result if result.traced_accesses is None else replace(result, traced_accesses=())


FORMAT = Format(
    name=JAVA.name, suffixes=(".jar",), compile_batch=compile_batch, language=JAVA, seconds_per_file=0.03
)
