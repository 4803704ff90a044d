"""The values that cross between discovery, the compilers, the sandbox and their caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

from kiok.compiled import CompiledFile, ImportedDags
from kiok.errors import Diagnostic, KiokError
from kiok.spec import DagSpec

if TYPE_CHECKING:
    from compilers.sandbox.limits import SandboxLimits


Note = Callable[[str], None]
"""Told in words for people what is being done. May be called from any thread."""


def silent(_text: str) -> None:
    """A `Note` for whoever does not want to know."""


class Kind(StrEnum):
    """The kind of a source file, told by its ending."""

    YAML = "yaml"
    PYTHON = "python"
    JAR = "jar"


class FileStatus(StrEnum):
    """What became of one source file. "Gone" is no status: a file that is gone is not listed."""

    COMPILED = "compiled"
    FAILED = "failed"
    NOT_A_DAG = "not_a_dag"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a commit's tree. `path` is POSIX, from the repository's root.

    `mode` is git's (`100644`, `100755`, `120000` symlink, `160000` submodule); `size` is in bytes, 0 for
    a submodule.
    """

    path: str
    mode: str
    blob: str
    size: int

    @property
    def is_file(self) -> bool:
        """A regular file, with any permissions: old commits hold more than git makes today (`100664`)."""
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True)
class Ignored:
    """An entry that is not read, with the reason (`symbolic link to ...`, `submodule`, `.kiokignore`, ...)."""

    path: str
    reason: str


class Tree(Protocol):
    """One commit's tree, read straight from git's object store."""

    @property
    def commit(self) -> str: ...

    @property
    def entries(self) -> Sequence[TreeEntry]:
        """Every blob, symlink and submodule in the scope, sorted by path (bytewise), less the two below."""

    @property
    def refused(self) -> Sequence[Ignored]:
        """Entries whose name cannot be a source path (the name escaped), with the reason."""

    @property
    def oversized(self) -> Sequence[TreeEntry]:
        """Files over the size that is read. They are there: nobody may take them for gone."""

    @property
    def links_outside(self) -> Sequence[TreeEntry]:
        """Symbolic links and submodules outside the scope. Their content cannot be read, and their size is 0."""

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        """Each entry with its content, in the order asked for. Raises the git package's error."""


@dataclass(frozen=True, slots=True)
class DiscoveredFile:
    """A discovered source file."""

    path: str
    kind: Kind
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class FileResult:
    """The outcome of one source file on the host, after validation.

    `text` is the source as authored (None for a jar); `image` the digest of the image that
    compiled it (None where no container was needed). `doubts` are what could not be understood and may have
    been a DAG: no proof that a DAG which the file gave before is gone. `diagnostics` are the problems of a failed
    file, the reason of one that is not a DAG, and the doubts of one that compiled. `retry` is True when the same file
    may well fare otherwise next time (no engine, a time-out, a lost answer). `unavailable` is the reason of the
    `SandboxUnavailable` for which no container could be had; `starved` is True for a file that did not get its own
    time, since other files had used the container's time up.

    `traced_accesses` are what the file asked of the tree (`compilers.build_cache`), None where the result must never be
    used again; `key` stands for them with their answers and all else that went into the result, "" where
    there is none. The key of a result with `retry` counts only until the caller retries the file. A `reused`
    result was not compiled now: the file's last one stands, its DAGs are those in the store, and `dags` is
    empty.

    `imported` are DAGs that other files of the repository created; `compilers.imported_dags` decides which of them
    this file registers, and leaves it empty.
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


class CompilerError(KiokError):
    """Base of the errors of this package that are not about one source file.

    CompilerError
    ├── SandboxUnavailable      the operator: no engine
    │   ├── ImageMissing        the operator: the image is not on the engine
    │   └── ImageMismatch       the operator: the image is there, and cannot serve
    └── (the sandbox's own)     the author or the operator: a tree over a limit, ...
    """


class SandboxUnavailable(CompilerError):
    """No container can be had. The message says why and what the operator should do.

    `reason` is stable: it is stored and shown.
    """

    reason: ClassVar[str] = "sandbox_unavailable"


class ImageMissing(SandboxUnavailable):
    """The engine has no such image."""

    reason = "image_missing"


class ImageMismatch(SandboxUnavailable):
    """The image speaks another protocol than this service, or declares what no sandbox may have."""

    reason = "image_mismatch"


class CompileOutcome(StrEnum):
    """How one file's process in the sandbox ended, as the driver saw it."""

    OK = "ok"  # it delivered a payload
    TIMEOUT = "timeout"  # killed: over the time limit for one file
    KILLED = "killed"  # died by a signal
    EXITED = "exited"  # ended without a payload
    TOO_LARGE = "too_large"  # its payload passed the limit
    LOST = "lost"  # the container ended or garbled its stream before this file's result


@dataclass(frozen=True, slots=True)
class RawResult:
    """What came out of the sandbox for one file: hostile bytes and the driver's account.

    `payload` is the JSON text of a `CompiledFile`, unparsed. `output` is the tail of what the file
    printed, decoded with replacement. `detail` explains `outcome` in a sentence, with numbers and limits.
    """

    path: str
    outcome: CompileOutcome
    payload: bytes = b""
    output: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """One container's work: one language, one commit of one repository.

    `files` are the paths to compile, in order; `entries` everything to lay under /src (already vetted
    regular files, `files` among them); `tree` reads them. `import_roots` are folders from the
    repository's root ("" is the root) that follow the file's own folder on `sys.path`. `labels` name service,
    repository and sync on the container. `image` is the reference of the image to use, "" for the
    sandbox's own of this kind. `note` receives which containers do the work. `is_check` marks a check of the
    sandbox itself, which runs in a container without limits, too.
    """

    kind: Kind
    files: Sequence[str]
    entries: Sequence[TreeEntry]
    tree: Tree
    import_roots: Sequence[str] = ("",)
    labels: tuple[tuple[str, str], ...] = ()
    image: str = ""
    note: Note = silent
    is_check: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What a compiler is given: sources of its kind out of one commit, and where to compile them.

    `subpath` is the scanned folder ("" for the whole repository); `labels` go on the containers.
    `images` are the references of the images to use; a kind that is missing takes the sandbox's own.
    `note` is told which images and containers do the work.
    """

    sources: Sequence[DiscoveredFile]
    tree: Tree
    subpath: str
    sandbox: Sandbox
    labels: tuple[tuple[str, str], ...] = ()
    images: Mapping[Kind, str] = field(default_factory=dict)
    note: Note = silent


class FormatCompiler(Protocol):
    """One source format. Every source of the batch gets exactly one result, in any order."""

    def __call__(self, batch: Batch) -> Iterator[FileResult]: ...


class Sandbox(Protocol):
    """Runs untrusted source files, each in a process of its own, in a throwaway container."""

    @property
    def limits(self) -> SandboxLimits:
        """What a container, and a file in it, may use."""

    def image_digest(self, kind: Kind, image: str = "") -> str:
        """The digest of the image that compiles this kind: `image`, else the sandbox's own.

        Raises SandboxUnavailable.
        """

    def image_name(self, kind: Kind, image: str = "") -> str:
        """Return the reference of the image that compiles this kind, for people: `image`, else the sandbox's own."""

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Exactly one result per file of the job, in its order, as they come.

        Raises SandboxUnavailable before the first result when no container can be started.
        """


__all__ = [
    "Batch",
    "CompileOutcome",
    "CompiledFile",
    "CompilerError",
    "DiscoveredFile",
    "FileResult",
    "FileStatus",
    "FormatCompiler",
    "Ignored",
    "ImageMismatch",
    "ImageMissing",
    "Kind",
    "Note",
    "RawResult",
    "Sandbox",
    "SandboxJob",
    "SandboxUnavailable",
    "Tree",
    "TreeEntry",
    "silent",
]
