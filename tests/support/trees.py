"""A commit's tree held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from compilers.source import Ignored, TreeEntry


class MemoryTree:
    """`compilers.source.Tree` over a mapping of path to content; `modes` for what is no plain file."""

    def __init__(
        self,
        files: Mapping[str, bytes | str],
        *,
        modes: Mapping[str, str] | None = None,
        commit: str = "",
        refused: Sequence[Ignored] = (),
        oversized: Sequence[TreeEntry] = (),
        links_outside: Sequence[TreeEntry] = (),
    ) -> None:
        self.links_outside = tuple(links_outside)
        self._refused = tuple(refused)
        self._oversized = tuple(oversized)
        self._contents = {
            path: content.encode() if isinstance(content, str) else content for path, content in files.items()
        }
        kinds = modes or {}
        self._entries = tuple(
            TreeEntry(path, kinds.get(path, "100644"), _blob(content), len(content))
            for path, content in sorted(
                self._contents.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape")
            )
        )
        self._commit = commit or hashlib.sha1(repr(self._entries).encode()).hexdigest()

    @property
    def commit(self) -> str:
        return self._commit

    @property
    def entries(self) -> Sequence[TreeEntry]:
        return self._entries

    @property
    def refused(self) -> Sequence[Ignored]:
        return self._refused

    @property
    def oversized(self) -> Sequence[TreeEntry]:
        return self._oversized

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        for entry in entries:
            yield entry, self._contents[entry.path]


def _blob(content: bytes) -> str:
    """The object's name as git computes it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
