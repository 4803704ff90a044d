"""Compiles one jar inside the sandbox: a JVM for its DAG classes, and another after each that brings it down.

`jvm` is the process and what it sends, `work` the way of the jar's classes through JVMs, `report` what
becomes of them, `archive` what is made with the image so that JVMs start fast. What a JVM sends may be forged by
the jar's code, which can only harm that jar's own result.

Imports are relative, since in the image this package has no other around it.
"""

from __future__ import annotations

import time

from .jvm import JAVA, Java, Jvm
from .report import MAX_DIAGNOSTICS, Report
from .work import JarWork

__all__ = ["MAX_DIAGNOSTICS", "Java", "Jvm", "compile_jar", "prefork"]

_GIT_LFS_POINTER = b"version https://git-lfs"


def prefork(java: Java = JAVA) -> Jvm:
    """A JVM that rehearses, then awaits the jar that `compile_jar` gets with it. Raises OSError."""
    return Jvm(java)


def compile_jar(
    path: str,
    display_path: str,
    *,
    timeout_seconds: float,
    max_payload_bytes: int,
    java: Java = JAVA,
    ahead: Jvm | None = None,
) -> bytes:
    """Compile the jar at `path`: the JSON of a `kiok.compiled.CompiledFile`, `max_payload_bytes` at most.

    Diagnostics name the jar by `display_path`. The JVM started `ahead`, if any, is used up; where it has died
    meanwhile a fresh one takes its place. It returns before `timeout_seconds` have passed, with an error
    for each class there was no time for, and leaves no process behind. Raises OSError when `java` cannot
    be started at all.
    """
    report = Report(display_path, max_payload_bytes)
    margin = min(1.0, timeout_seconds / 10)
    work = JarWork(
        java=java,
        jar=path,
        timeout_seconds=timeout_seconds,
        deadline=time.monotonic() + timeout_seconds - margin,
        max_record_bytes=max_payload_bytes,
        report=report,
        ahead=ahead,
    )
    with open(path, "rb") as file:  # noqa: PTH123 - the driver's paths are plain strings
        pointer = file.read(len(_GIT_LFS_POINTER)) == _GIT_LFS_POINTER
    if pointer:
        report.problem("this is a Git LFS pointer, not the jar it points to; commit the jar itself")
        work.unreadable = True
    work.run()
    return report.payload(import_failed=work.unreadable)
