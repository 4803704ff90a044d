"""YAML sources: compiled in process, since strict parsing runs no code."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace

from compilers.formats.base import Batch, Format
from compilers.result import FileResult, failed, not_a_dag_in_doubt, readable, result_of
from kiok.yaml_dag import compile_yaml

log = logging.getLogger(__name__)

# libyaml counts these too: https://yaml.org/spec/1.1/#b-char
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every YAML source of the batch."""
    wanted = {source.path: source for source in batch.sources}
    entries = [entry for entry in batch.tree.entries if entry.path in wanted]
    for entry, content in batch.tree.read(entries):
        started = time.monotonic()
        source, text = wanted[entry.path], readable(content)
        try:
            compiled = compile_yaml(content, entry.path)
        except Exception as exc:  # a bug in the compiler must not stop the other files
            log.exception("the YAML compiler failed on %s", entry.path)
            why = f"internal error of the YAML compiler: {type(exc).__name__}. See the service log"
            result = failed(source, why, text=text, retry=True)
        else:
            result = result_of(source, compiled, text=text, seconds=time.monotonic() - started)
            if compiled.import_failed:
                result = not_a_dag_in_doubt(result)
        yield replace(result, traced_accesses=())


FORMAT = Format(
    name="yaml",
    suffixes=(".yaml", ".yml"),
    compile_batch=compile_batch,
    seconds_per_file=0.0006,
    line_break=_LINE_BREAK,
    lexer="yaml",
)
