"""A commit's tree and the source files that are found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kiok.errors import KiokError


class TreeEntry(NamedTuple):
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


class DiscoveredFile(NamedTuple):
    """A discovered source file. `kind` is the name of its format (`compilers.formats`)."""

    path: str
    kind: str
    blob: str
    size: int


class CompilerError(KiokError):
    """Base class of the package's errors that do not concern a single source file.

    CompilerError
    ├── SandboxUnavailable      for the operator: no engine
    │   ├── ImageMissing        for the operator: the image is not on the engine
    │   └── ImageMismatch       for the operator: the image is present but not usable
    └── (the sandbox's own)     for the author or the operator: a tree over a limit, ...
    """


def suffix_of(path: str) -> str:
    """Return the suffix of a path in lower case, such as `.py`; "" if it has none."""
    # Equivalent to `PurePath.suffix`, which takes most of the time needed to find 10 000 files.
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""
