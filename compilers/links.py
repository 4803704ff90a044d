"""Symbolic links and submodules of a commit: tree entries that refer to content elsewhere and are not followed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from compilers.source import Tree, TreeEntry
from kiok.text import cut

SYMLINK = "120000"
SUBMODULE = "160000"
_MAX_TARGET_BYTES = 4096  # the longest target that a file system allows
_MAX_SHOWN_TARGET = 200


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link or a submodule. `target` is as written; "" if it is unknown or cannot be displayed."""

    path: str
    is_submodule: bool
    target: str = ""

    @property
    def kind(self) -> str:
        return "submodule" if self.is_submodule else "symbolic link"

    @property
    def rule(self) -> str:
        """The reason why the content behind the link is missing."""
        return "submodules are not fetched" if self.is_submodule else "links are not followed"

    @property
    def resolved(self) -> str | None:
        """The target relative to the repository's root; None if it is unknown or outside."""
        if not self.target or self.target.startswith("/") or len(self.target) > _MAX_SHOWN_TARGET:
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), self.target))
        return None if path == ".." or path.startswith("../") else "" if path == "." else path

    def __str__(self) -> str:
        target = cut(self.target, _MAX_SHOWN_TARGET)
        return f"{self.path} -> {target}" if target else self.path


class Links:
    """The links of a tree by path, inside and outside its scope. Targets of those inside are read when needed."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._outside = {entry.path: entry for entry in tree.links_outside}
        inside = {entry.path: entry for entry in tree.entries if entry.mode in (SYMLINK, SUBMODULE)}
        self.entries = self._outside | inside
        self._read: dict[str, Link] = {}

    def at_or_above(self, path: str) -> TreeEntry | None:
        """Return the link at `path` or at one of its parent folders."""
        if not self.entries:
            return None
        while path:
            if (entry := self.entries.get(path)) is not None:
                return entry
            path = path.rpartition("/")[0]
        return None

    def read(self, entries: Iterable[TreeEntry]) -> list[Link]:
        """Return the links with their targets. Raises the tree's errors."""
        entries = list(entries)
        readable = [
            entry
            for entry in entries
            if entry.mode == SYMLINK
            and entry.size <= _MAX_TARGET_BYTES
            and entry.path not in self._read
            and entry.path not in self._outside
        ]
        for entry, content in self._tree.read(readable) if readable else ():
            target = content.decode("utf-8", "replace")
            self._read[entry.path] = Link(entry.path, False, target if target.isprintable() else "")
        return [self._read.get(entry.path) or Link(entry.path, entry.mode == SUBMODULE) for entry in entries]
