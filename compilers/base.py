"""Types shared by discovery, the compilers, the sandbox and their caller."""

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


# Receives a progress message for people. May be called from any thread.
Note = Callable[[str], None]


def silent(_text: str) -> None:
    """Ignore the message: a `Note` for callers without a sync log."""


class Kind(StrEnum):
    """The kind of a source file, derived from its ending."""

    YAML = "yaml"
    PYTHON = "python"
    JAR = "jar"


class FileStatus(StrEnum):
    """The outcome of one source file. A deleted file has no status: it is not listed."""

    COMPILED = "compiled"
    FAILED = "failed"
    NOT_A_DAG = "not_a_dag"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry of a commit's tree. `path` is POSIX, relative to the repository's root.

    `mode` is git's mode (`100644`, `100755`, `120000` symlink, `160000` submodule). `size` is in bytes, 0 for
    a submodule.
    """

    path: str
    mode: str
    blob: str
    size: int

    @property
    def is_file(self) -> bool:
        """Return whether this is a regular file. Any permissions count: old commits hold modes such as `100664`."""
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True)
class Ignored:
    """An entry that is not read, with the reason (`symbolic link to ...`, `submodule`, `.kiokignore`, ...)."""

    path: str
    reason: str


class Tree(Protocol):
    """The tree of a commit, read from git's object store."""

    @property
    def commit(self) -> str: ...

    @property
    def entries(self) -> Sequence[TreeEntry]:
        """All blobs, symlinks and submodules in the scope, sorted by path (bytewise), without the two lists below."""

    @property
    def refused(self) -> Sequence[Ignored]:
        """Entries whose name cannot be a source path (the name is escaped), with the reason."""

    @property
    def oversized(self) -> Sequence[TreeEntry]:
        """Files above the size limit. They exist: they must not be treated as deleted."""

    @property
    def links_outside(self) -> Sequence[TreeEntry]:
        """Symbolic links and submodules outside the scope. Their content cannot be read, and their size is 0."""

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        """Yield each entry with its content, in the order of `entries`. Raises the git package's error."""


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


class CompilerError(KiokError):
    """Base class of the package's errors that do not concern a single source file.

    CompilerError
    ├── SandboxUnavailable      for the operator: no engine
    │   ├── ImageMissing        for the operator: the image is not on the engine
    │   └── ImageMismatch       for the operator: the image is present but not usable
    └── (the sandbox's own)     for the author or the operator: a tree over a limit, ...
    """


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
    on the container. `image` is the reference of the image to use, "" for the sandbox's own image of this kind.
    `note` receives the names of the containers used. `is_check` marks a check of the sandbox itself, which also runs
    in a container without limits.
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
    """The input of a compiler: the sources of its kind in one commit, and the sandbox to compile them in.

    `subpath` is the scanned folder ("" for the whole repository). `labels` are set on the containers.
    `images` are the references of the images to use. A kind without an entry uses the sandbox's own image.
    `note` receives the images and containers used.
    """

    sources: Sequence[DiscoveredFile]
    tree: Tree
    subpath: str
    sandbox: Sandbox
    labels: tuple[tuple[str, str], ...] = ()
    images: Mapping[Kind, str] = field(default_factory=dict)
    note: Note = silent


class FormatCompiler(Protocol):
    """A compiler for one source format. It gives exactly one result per source of the batch, in any order."""

    def __call__(self, batch: Batch) -> Iterator[FileResult]: ...


class Sandbox(Protocol):
    """An environment that runs untrusted source files, each in its own process, in a throwaway container."""

    @property
    def limits(self) -> SandboxLimits:
        """The resource limits of a container and of a file in it."""

    def image_digest(self, kind: Kind, image: str = "") -> str:
        """Return the digest of the image that compiles this kind: `image`, else the sandbox's own.

        Raises SandboxUnavailable.
        """

    def image_name(self, kind: Kind, image: str = "") -> str:
        """Return the reference, for people, of the image that compiles this kind: `image`, else the sandbox's own."""

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Yield exactly one result per file of the job, in order, as soon as each is available.

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
