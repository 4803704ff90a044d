"""The result of a source file, and how the output of a compiler or a container becomes one that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from compilers.sandbox.base import CompileOutcome, RawResult
from compilers.source import DiscoveredFile
from kiok.compiled import CompiledFile, CompiledFileError, ImportedDags, decode
from kiok.errors import Diagnostic
from kiok.opaque import opaque_reason
from kiok.spec import DagSpec
from kiok.stack_dump import read_stack

# The questions of a file whose accesses are unknown: any change to the tree invalidates its result.
EVERYTHING = ("*",)
NO_REASON = "it defines no DAG"
SRC = "/src"  # where a container holds the repository
TRANSIENT = (CompileOutcome.TIMEOUT, CompileOutcome.LOST)


class FileStatus(StrEnum):
    """The outcome of one source file. A deleted file has no status: it is not listed."""

    COMPILED = "compiled"
    FAILED = "failed"
    NOT_A_DAG = "not_a_dag"


@dataclass(frozen=True, slots=True)
class FileResult:
    """The outcome of one source file on the host, after validation.

    `text` is the source as authored (None for a jar). `image` is the digest of the image that compiled it (None if no
    container was needed). `diagnostics` are the problems of a failed file, the reason why a file is not a DAG, or the
    doubts of a compiled file. `doubts` are parts that could not be evaluated and may define a DAG: while there are
    any, a DAG that the file defined before does not count as removed. `retry` is True when the next attempt may
    succeed with the same file (no engine, a timeout, a lost response). `unavailable` is the reason of the
    `SandboxUnavailable` that prevented the compile. `starved` is True for a file that did not get its full time
    because other files had used up the container's time.

    `traced_accesses` are the accesses of the file to the tree (`compilers.build_cache`), None if the result must never be
    reused. `key` is a digest of these accesses, their answers and all other inputs of the compile, "" if there is
    none. If `retry` is set, the key is valid only until the caller retries the file. A `reused` result was not compiled
    in this sync: the last result of the file is still valid, its DAGs are in the store, and `dags` is empty.

    `imported` are DAGs that other files of the repository created. `compilers.imported_dags` decides which of them
    this file registers, and empties the field.
    """

    source: DiscoveredFile
    status: FileStatus
    dags: tuple[DagSpec, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    keyed: bool = True
    text: str | None = None
    image: str | None = None
    seconds: float = 0.0
    doubts: tuple[Diagnostic, ...] = ()
    retry: bool = False
    traced_accesses: tuple[str, ...] | None = None
    key: str = ""
    reused: bool = False
    unavailable: str = ""
    starved: bool = False
    imported: tuple[ImportedDags, ...] = ()


def readable(content: bytes | str) -> str:
    """Return untrusted bytes or text as text that PostgreSQL can store.

    Undecodable bytes, lone surrogates and NUL become U+FFFD.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", "replace")
    return content.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _clean(diagnostic: Diagnostic, path: str) -> Diagnostic:
    """Return the diagnostic with its file's own path and without characters that PostgreSQL refuses."""

    def text(value: str | None) -> str | None:
        return None if value is None else readable(value)

    return replace(
        diagnostic,
        message=readable(diagnostic.message),
        path=path,
        dag=text(diagnostic.dag),
        task=text(diagnostic.task),
        key=text(diagnostic.key),
        output=text(diagnostic.output),
    )


def result_of(
    source: DiscoveredFile,
    compiled: CompiledFile,
    *,
    text: str | None = None,
    image: str | None = None,
    output: str = "",
    seconds: float = 0.0,
) -> FileResult:
    """Return the result of a file whose compile completed, with or without problems.

    Diagnostics get the source's own path, regardless of the path they claim. The first one carries the
    tail of the file's output.
    """
    diagnostics = tuple(_clean(item, source.path) for item in compiled.diagnostics)
    if diagnostics and output:
        diagnostics = (replace(diagnostics[0], output=output), *diagnostics[1:])
    doubts = tuple(_clean(item, source.path) for item in compiled.doubts)
    reason = None if compiled.not_a_dag is None else _clean(compiled.not_a_dag, source.path)
    status, diagnostics = status_of(source, compiled.dags, diagnostics, doubts, reason)
    imported = [
        replace(group, diagnostics=tuple(_clean(item, source.path) for item in group.diagnostics))
        for group in compiled.imported
    ]
    return FileResult(
        source,
        status,
        dags=compiled.dags,
        diagnostics=diagnostics,
        keyed=compiled.keyed,
        text=text,
        image=image,
        seconds=seconds,
        traced_accesses=EVERYTHING if compiled.traced_accesses is None else compiled.traced_accesses,
        doubts=doubts,
        imported=tuple(imported),
    )


def status_of(
    source: DiscoveredFile,
    dags: Sequence[DagSpec],
    problems: Sequence[Diagnostic],
    doubts: Sequence[Diagnostic],
    reason: Diagnostic | None,
) -> tuple[FileStatus, tuple[Diagnostic, ...]]:
    """Return the status and the diagnostics of a compiled file.

    `reason` says why the file has no DAG, or fewer than it appears to have.
    """
    if problems:
        return FileStatus.FAILED, tuple(problems)
    status = FileStatus.COMPILED if dags else FileStatus.NOT_A_DAG
    if reason is None and not dags and not doubts:
        reason = Diagnostic(NO_REASON, source.path)
    return status, tuple(doubts) if reason is None else (reason, *doubts)


def not_a_dag_in_doubt(result: FileResult) -> FileResult:
    """Return a failed result as "not a DAG", with its problems as doubts.

    Used for a file that could not be read and shows no sign of being a DAG: it is listed, and fails only if it
    defined DAGs before.
    """
    return replace(result, status=FileStatus.NOT_A_DAG, dags=(), doubts=result.diagnostics, retry=False)


def _ending(source: DiscoveredFile, raw: RawResult) -> tuple[str, int | None]:
    """Return how a process without a result ended, and the file's line at that moment if known."""
    detail = readable(raw.detail or f"its process ended without a result: {raw.outcome.value}")
    if raw.outcome is not CompileOutcome.TIMEOUT:
        return detail, None
    # The driver appends the stack that the process wrote to its own sentence.
    sentence, _, dump = detail.partition("\n")
    stopped = read_stack(dump, f"{SRC}/{source.path}", lambda path: path.removeprefix(f"{SRC}/"))
    return sentence + stopped.text, stopped.line


def failed(
    source: DiscoveredFile,
    message: str,
    line: int | None = None,
    *,
    output: str = "",
    text: str | None = None,
    image: str | None = None,
    seconds: float = 0.0,
    retry: bool = False,
    starved: bool = False,
    unavailable: str = "",
) -> FileResult:
    """Return the failure of a file without a result. Its accesses to the tree are unknown.

    A failure that is `starved` or due to an `unavailable` sandbox says nothing about the file: it is never reused.
    """
    diagnostic = Diagnostic(message, source.path, line, output=output or None)
    return FileResult(
        source,
        FileStatus.FAILED,
        diagnostics=(diagnostic,),
        text=text,
        image=image,
        seconds=seconds,
        retry=retry,
        traced_accesses=None if starved or unavailable else EVERYTHING,
        starved=starved,
        unavailable=unavailable,
    )


def opaque_result(
    source: DiscoveredFile, content: bytes, *, text: str | None = None, noun: str = "file"
) -> FileResult | None:
    """Return the failure of a source that is a Git LFS pointer or encrypted; None where it is neither.

    Such a file is never run. Its result depends only on its bytes. `noun` names the source in the message.
    """
    reason = opaque_reason(content, noun)
    return None if reason is None else replace(failed(source, reason, text=text), traced_accesses=())


def result_of_raw(
    source: DiscoveredFile, raw: RawResult, *, text: str | None, image: str, time_limit: float = 0.0
) -> tuple[FileResult, bool]:
    """Evaluate a container's result. Return it, and whether the file could not be loaded at all.

    `time_limit` is the seconds that one file may take, 0 if unknown.
    """
    output = readable(raw.output)
    if raw.outcome is not CompileOutcome.OK:
        message, line = _ending(source, raw)
        result = failed(
            source,
            message,
            line,
            output=output,
            text=text,
            image=image,
            seconds=raw.seconds,
            retry=raw.outcome in TRANSIENT,
            # Killed before its own time was up: the container's time was up.
            starved=raw.outcome is CompileOutcome.TIMEOUT and raw.seconds < 0.9 * time_limit,
        )
        return result, True
    try:
        compiled = decode(raw.payload)
    except CompiledFileError as exc:
        message = f"what the compiler of this file delivered is no valid result: {exc}"
        return failed(source, message, output=output, text=text, image=image), True
    result = result_of(source, compiled, text=text, image=image, output=output, seconds=raw.seconds)
    return result, compiled.import_failed
