"""Which limit of the sandbox a message is about: its property, its value, and that it can be raised; and its image.

Neither the driver nor what it runs knows properties, so the host adds this to what they say. Where all there is
is the text of an exception, it is told by the text: code that prints the same words gets a hint it did
not need, and no harm is done.
"""

from __future__ import annotations

import re
from dataclasses import replace

from compilers.base import CompileOutcome, FileResult, Kind, RawResult
from compilers.sandbox.limits import SandboxLimits
from kiok.errors import Diagnostic

# The first that is found counts: a JVM that may start no thread says OutOfMemoryError too.
_SIGNS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), limits)
    for pattern, limits in (
        # Fixed in the image (jar_child.jvm.JVM_OPTIONS): nothing an operator could raise.
        (r"direct buffer memory|Metaspace", ()),
        (r"can't start new thread|unable to create native thread|\[Errno 11\]|BlockingIOError", ("pids",)),
        (r"\[Errno 28\]|No space left on device", ("tmp_bytes", "tmp_inodes")),
        (r"\[Errno 24\]|Too many open files", ("max_open_files",)),
        (r"\[Errno 27\]|File too large|SIGXFSZ", ("max_file_bytes",)),
        (r"DAG takes \d+ bytes; at most|those of the jar take more than", ("max_payload_bytes",)),
        (r"the jar's time limit|hangs or is too slow: it was given", ("jar_timeout_seconds",)),
        (r"before its deadline|no time was left to try", ("container_deadline_seconds",)),
        # A container that simply ends was mostly out of memory: nothing else can end its first process.
        (r"MemoryError|\[Errno 12\]|SIGKILL|the container ended before", ("memory_bytes",)),
    )
)


_MISSING_MODULE = re.compile(r"\bModuleNotFoundError: No module named ")


def with_hints(
    result: FileResult, raw: RawResult, limits: SandboxLimits, *, files: int = 1, image: str = ""
) -> FileResult:
    """Return the result with every diagnostic that is about a limit, or about what the image lacks, naming it.

    `files` is the number of files of the container's job, `image` the name of its image. The tail of what the file
    printed says where it was cut.
    """
    if not result.diagnostics:
        return result
    kind = result.source.kind
    passed = _by_outcome(raw, kind, limits, files)
    diagnostics = [
        _with_image(_hinted(item, passed, raw, kind, limits), image) for item in result.diagnostics
    ]
    diagnostics[0] = _with_cut_noted(diagnostics[0], limits)
    return replace(result, diagnostics=tuple(diagnostics))


def _by_outcome(raw: RawResult, kind: Kind, limits: SandboxLimits, files: int) -> tuple[str, ...]:
    """The limit that the driver itself saw passed."""
    if raw.outcome is CompileOutcome.TOO_LARGE:
        return ("max_payload_bytes",)
    if raw.outcome is CompileOutcome.TIMEOUT:
        # Given less than its own time, it was the container's that ran out: by the property, if that is less than what
        # the files may take together, else because the machine was slow.
        if raw.seconds < 0.9 * limits.timeout_seconds(kind) and limits.is_deadline_short(kind, files):
            return ("container_deadline_seconds",)
        return ("jar_timeout_seconds" if kind is Kind.JAR else "file_timeout_seconds",)
    return ()


def _hinted(
    diagnostic: Diagnostic, passed: tuple[str, ...], raw: RawResult, kind: Kind, limits: SandboxLimits
) -> Diagnostic:
    text = diagnostic.message
    if raw.outcome is not CompileOutcome.OK:
        # Of a process that died, the last words may tell why.
        text += f"\n{diagnostic.output or ''}"
    passed = passed or next((named for sign, named in _SIGNS if sign.search(text)), ())
    if not passed:
        return diagnostic
    return _in_first_line(diagnostic, f" ({_hint(passed, kind, limits)})")


def _with_image(diagnostic: Diagnostic, image: str) -> Diagnostic:
    """Say which image lacks a module that was not found."""
    if not image or not _MISSING_MODULE.search(diagnostic.message):
        return diagnostic
    return _in_first_line(
        diagnostic, f"; a package that is not in the sandbox image {image} has to be added to it"
    )


def _in_first_line(diagnostic: Diagnostic, text: str) -> Diagnostic:
    """Add to the first line of a message: below it are the frames of a traceback."""
    first, newline, rest = diagnostic.message.partition("\n")
    return replace(diagnostic, message=f"{first}{text}{newline}{rest}")


def _hint(passed: tuple[str, ...], kind: Kind, limits: SandboxLimits) -> str:
    allowed = " and ".join(limits.setting(field) for field in passed)
    share = limits.process_memory_bytes(kind)
    if passed == ("memory_bytes",) and 0 < share < limits.memory_bytes:
        allowed += f", of which {share} for one file"
    return f"the sandbox allows {allowed}; an operator can raise {'it' if len(passed) == 1 else 'them'}"


def _with_cut_noted(diagnostic: Diagnostic, limits: SandboxLimits) -> Diagnostic:
    output = diagnostic.output or ""
    if len(output.encode("utf-8", "replace")) < limits.max_output_bytes:
        return diagnostic
    note = f"[{limits.setting('max_output_bytes')}: no more than the end is kept; an operator can raise it]\n"
    return replace(diagnostic, output=note + output)
