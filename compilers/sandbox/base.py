"""The contract of a sandbox: its jobs, its results, its errors. Formats use it; it imports no format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from compilers.source import CompilerError, Tree, TreeEntry

# Receives a progress message for people. May be called from any thread.
Note = Callable[[str], None]


def silent(_text: str) -> None:
    """Ignore the message: a `Note` for callers without a sync log."""


class SandboxUnavailable(CompilerError):
    """No container can be started. The message says why and what the operator should do.

    `reason` is stable: it is stored and displayed.
    """

    reason: ClassVar[str] = "sandbox_unavailable"


class ImageMissing(SandboxUnavailable):
    """The image is not on the engine."""

    reason = "image_missing"


class ImageMismatch(SandboxUnavailable):
    """The image uses another protocol version than this service, or declares settings that a sandbox must not have."""

    reason = "image_mismatch"


class CompileOutcome(StrEnum):
    """The end of one file's process in the sandbox, as seen by the driver."""

    OK = "ok"  # returned a payload
    TIMEOUT = "timeout"  # killed after the time limit for one file
    KILLED = "killed"  # ended by a signal
    EXITED = "exited"  # ended without a payload
    TOO_LARGE = "too_large"  # returned a payload over the limit
    LOST = "lost"  # the container ended, or its stream was corrupt, before the result of this file


@dataclass(frozen=True, slots=True)
class RawResult:
    """The sandbox's response for one file: untrusted bytes and the driver's report.

    `payload` is the JSON text of a `CompiledFile`, unparsed. `output` is the tail of what the file
    printed, decoded with replacement. `detail` explains `outcome` in one sentence, with figures and limits.
    """

    path: str
    outcome: CompileOutcome
    payload: bytes = b""
    output: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """The work of one container: one language, one commit of one repository.

    `files` are the paths to compile, in order. `entries` are all files to lay out under /src (vetted regular
    files, including `files`). `tree` reads them. `import_roots` are folders relative to the repository's root
    ("" is the root) that follow the file's own folder on `sys.path`. `labels` identify service, repository and sync
    on the container. `image` is the reference of the image to use, "" for the sandbox's own image of this language.
    `note` receives the names of the containers used. `is_check` marks a check of the sandbox itself, which also runs
    in a container without limits.
    """

    language: Language
    files: Sequence[str]
    entries: Sequence[TreeEntry]
    tree: Tree
    import_roots: Sequence[str] = ("",)
    labels: tuple[tuple[str, str], ...] = ()
    image: str = ""
    note: Note = silent
    is_check: bool = False


class Sandbox(Protocol):
    """An environment that runs untrusted source files, each in its own process, in a throwaway container."""

    @property
    def limits(self) -> SandboxLimits:
        """The resource limits of a container and of a file in it."""

    def image_digest(self, language: Language, image: str = "") -> str:
        """Return the digest of the image that compiles this language: `image`, else the sandbox's own.

        Raises SandboxUnavailable.
        """

    def image_name(self, language: Language, image: str = "") -> str:
        """Return the reference, for people, of the image that compiles this language: `image`, else the sandbox's own."""

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Yield exactly one result per file of the job, each as soon as it is available, in any order.

        Raises SandboxUnavailable when no container can be started, or when the engine stops during the job.
        """
