"""Add to a message the limit it is about (property, value, that it can be raised), or the image that lacks a module.

Neither the driver nor the code it runs knows properties, so the host adds this to their messages. If only
the text of an exception is available, the limit is recognized by that text: code that prints the same words gets a
superfluous hint, which does no harm.
"""

from __future__ import annotations

import re
from dataclasses import replace

from compilers.result import FileResult
from compilers.sandbox.base import CompileOutcome, RawResult
from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from kiok.errors import Diagnostic

# The first match counts: a JVM that cannot start a thread reports OutOfMemoryError too.
_SIGNS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), limits)
    for pattern, limits in (
        # Fixed in the image (jar_child.jvm.JVM_OPTIONS): an operator cannot raise it.
        (r"direct buffer memory|Metaspace", ()),
        (r"can't start new thread|unable to create native thread|\[Errno 11\]|BlockingIOError", ("pids",)),
        (r"\[Errno 28\]|No space left on device", ("tmp_bytes", "tmp_inodes")),
        (r"\[Errno 24\]|Too many open files", ("max_open_files",)),
        (r"\[Errno 27\]|File too large|SIGXFSZ", ("max_file_bytes",)),
        (r"DAG takes \d+ bytes; at most|those of the jar take more than", ("max_payload_bytes",)),
        (r"the jar's time limit|hangs or is too slow: it was given", ("jar_timeout_seconds",)),
        (r"before its deadline|no time was left to try", ("container_deadline_seconds",)),
        # A container that ends unexpectedly was usually out of memory: nothing else can end its first process.
        (r"MemoryError|\[Errno 12\]|SIGKILL|the container ended before", ("memory_bytes",)),
    )
)


_MISSING_MODULE = re.compile(r"\bModuleNotFoundError: No module named ")


def with_hints(
    result: FileResult,
    raw: RawResult,
    limits: SandboxLimits,
    language: Language,
    *,
    files: int = 1,
    image: str = "",
) -> FileResult:
    """Return the result with a hint in every diagnostic about a limit or about a module that the image lacks.

    `files` is the number of files of the container's job, `image` the name of its image. The tail of the file's
    output says where it was truncated.
    """
    if not result.diagnostics:
        return result
    passed = _by_outcome(raw, language, limits, files)
    diagnostics = [
        _with_image(_hinted(item, passed, raw, language, limits), image) for item in result.diagnostics
    ]
    diagnostics[0] = _with_cut_noted(diagnostics[0], limits)
    return replace(result, diagnostics=tuple(diagnostics))


def _by_outcome(raw: RawResult, language: Language, limits: SandboxLimits, files: int) -> tuple[str, ...]:
    """Return the limit whose violation the driver itself reported."""
    if raw.outcome is CompileOutcome.TOO_LARGE:
        return ("max_payload_bytes",)
    if raw.outcome is CompileOutcome.TIMEOUT:
        # If the file got less than its own time, the container's time was up: because of the property, if that is less
        # than the files may take together, else because the machine was slow.
        if raw.seconds < 0.9 * limits.timeout_seconds(language) and limits.is_deadline_short(language, files):
            return ("container_deadline_seconds",)
        return (language.timeout_limit,)
    return ()


def _hinted(
    diagnostic: Diagnostic, passed: tuple[str, ...], raw: RawResult, language: Language, limits: SandboxLimits
) -> Diagnostic:
    text = diagnostic.message
    if raw.outcome is not CompileOutcome.OK:
        # The last output of a process that died may give the reason.
        text += f"\n{diagnostic.output or ''}"
    passed = passed or next((named for sign, named in _SIGNS if sign.search(text)), ())
    if not passed:
        return diagnostic
    return _in_first_line(diagnostic, f" ({_hint(passed, language, limits)})")


def _with_image(diagnostic: Diagnostic, image: str) -> Diagnostic:
    """Name the image that lacks a module that was not found."""
    if not image or not _MISSING_MODULE.search(diagnostic.message):
        return diagnostic
    return _in_first_line(diagnostic, f"; if it is a package, it must be added to the sandbox image {image}")


def _in_first_line(diagnostic: Diagnostic, text: str) -> Diagnostic:
    """Add to the first line of a message: the frames of a traceback follow below it."""
    first, newline, rest = diagnostic.message.partition("\n")
    return replace(diagnostic, message=f"{first}{text}{newline}{rest}")


def _hint(passed: tuple[str, ...], language: Language, limits: SandboxLimits) -> str:
    allowed = " and ".join(limits.setting(field) for field in passed)
    share = limits.process_memory_bytes(language)
    if passed == ("memory_bytes",) and 0 < share < limits.memory_bytes:
        allowed += f", of which {share} for one file"
    return f"the sandbox allows {allowed}; an operator can raise {'it' if len(passed) == 1 else 'them'}"


def _with_cut_noted(diagnostic: Diagnostic, limits: SandboxLimits) -> Diagnostic:
    output = diagnostic.output or ""
    if len(output.encode("utf-8", "replace")) < limits.max_output_bytes:
        return diagnostic
    note = f"[{limits.setting('max_output_bytes')}: only the end of the output is kept; an operator can raise it]\n"
    return replace(diagnostic, output=note + output)
