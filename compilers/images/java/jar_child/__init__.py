"""Compile one jar inside the sandbox: one JVM for its DAG classes, and another after each class that ends it.

`jvm` is the process and its records, `work` takes the jar's classes through JVMs, `report` collects the
results, `archive` is made with the image so that JVMs start fast. The jar's code may forge a JVM's
records, which can only harm that jar's own result.

Imports are relative, because in the image this package has no parent package.
"""

from __future__ import annotations

import time

from .jvm import JAVA, Java, Jvm
from .report import MAX_DIAGNOSTICS, Report
from .work import JarWork

__all__ = ["MAX_DIAGNOSTICS", "Java", "Jvm", "compile_jar", "prefork"]

_GIT_LFS_POINTER = b"version https://git-lfs"


def prefork(java: Java = JAVA) -> Jvm:
    """Start a JVM that warms up and then waits for the jar given to `compile_jar`. Raises OSError."""
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
    """Compile the jar at `path` to the JSON of a `kiok.compiled.CompiledFile` of at most `max_payload_bytes`.

    Diagnostics name the jar by `display_path`. The JVM started in advance (`ahead`), if any, is used up; if it has
    died, a new one replaces it. The function returns before `timeout_seconds` have passed, with an error
    for each class that did not get time, and leaves no process behind. Raises OSError when `java` cannot
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
