"""Whether a file compiled again would give what it gave: a key over all that went into its last compile.

A compile is noted as the questions the file asked of the repository's tree (`compilers/images/driver/traced_accesses.py`
lists their kinds). The key is a digest of those questions with one tree's answers, of the file itself and of
the conditions it is compiled under. Made again over another tree, an equal key means an equal compile. Reads,
misses, imports, modules that would come first and listings of folders are all this one thing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from compilers.base import DiscoveredFile, FileResult, FileStatus, TreeEntry
from kiok.errors import Diagnostic

COMPILER_VERSION = 3
"""Raised when the same file could compile to something else than before."""

EVERYTHING = ("*",)
"""The questions of a file of which nobody knows what it looked at: any change to the tree concerns it."""

_FOLDER = "/"
_IN_A_FILE = "!"
_LINK = "@"  # and its object
_SOURCE = "d:"


def files_named(question: str) -> tuple[str, ...] | None:
    """Return the paths of the files that a question may be about; None for one about a folder or the whole tree."""
    path = question[2:]
    match question[:2]:
        case "p:":
            return (path,)
        case "m:":
            return tuple(f"{path}{ending}" for ending in (".py", ".pyc", "/__init__.py", "/__init__.pyc"))
    return None


def is_source(path: str) -> str:
    """Return the question whether `path` is a source of the commit. The host asks it, no file does."""
    return _SOURCE + path


@dataclass(frozen=True, slots=True)
class CachedResult:
    """What is stored of a file's last compile: its outcome, and what tells whether that still holds.

    `image` is the digest of the image that compiled it, "" where none was needed. `retry` is True for a failure that
    is kept only until the file is retried. Of its `dags` only the id and the hash of the spec are known here; the rest
    is in the store.
    """

    key: str
    traced_accesses: tuple[str, ...]
    image: str
    status: FileStatus
    diagnostics: tuple[Diagnostic, ...] = ()
    retry: bool = False
    dags: tuple[tuple[str, str], ...] = ()


class View:
    """A tree as a file in the sandbox sees it: regular files, by path from the repository's root.

    `links` are not there in the sandbox. They count as answers, because the error of a file that misses them names
    them. `sources` are the paths that are compiled for themselves.
    """

    def __init__(
        self,
        entries: Iterable[TreeEntry],
        links: Iterable[TreeEntry] = (),
        sources: Iterable[str] = (),
    ) -> None:
        self._sources = frozenset(sources)
        self._files = {entry.path: entry for entry in entries}
        self._links = {entry.path: entry for entry in links}
        self._folders: dict[str, dict[str, TreeEntry | None]] = {"": {}}
        self._libraries: dict[str, list[str]] = {}
        for path, entry in self._files.items():
            folder, _, name = path.rpartition("/")
            self._children(folder)[name] = entry
            if name.endswith(".so"):
                self._libraries.setdefault(_joined(folder, name.partition(".")[0]), []).append(name)
        self._answers: dict[str, str] = {}
        self._answered: dict[tuple[str, ...], str] = {}
        self._kinds: dict[str, Callable[[str], str]] = {
            "p:": self._what_is_at,
            "n:": lambda folder: self._listing(folder, sizes=False),
            "s:": lambda folder: self._listing(folder, sizes=True),
            "m:": self._module,
            _SOURCE: lambda path: "source" if path in self._sources else "",
        }

    def answer(self, question: str) -> str:
        """The answer, equal for two trees only where they do not differ in what is asked.

        A question of no known kind asks for everything.
        """
        known = self._answers.get(question)
        if known is None:
            kind = self._kinds.get(question[:2])
            known = kind(question[2:]) if kind else self._everything
            self._answers[question] = known
        return known

    def answers(self, traced_accesses: tuple[str, ...]) -> str:
        """Return the questions, sorted, with their answers, as JSON. Many files of a folder ask the same."""
        known = self._answered.get(traced_accesses)
        if known is None:
            known = _json([[question, self.answer(question)] for question in sorted(traced_accesses)])
            self._answered[traced_accesses] = known
        return known

    def is_file(self, path: str) -> bool:
        return path in self._files

    def is_folder(self, path: str) -> bool:
        return path in self._folders

    def is_behind_link(self, path: str) -> bool:
        """Return whether `path` is a link, or leads through one."""
        return self._link(path) is not None

    def _link(self, path: str) -> TreeEntry | None:
        while path and self._links:
            if (entry := self._links.get(path)) is not None:
                return entry
            path = path.rpartition("/")[0]
        return None

    def _children(self, folder: str) -> dict[str, TreeEntry | None]:
        """What is in a folder, made known to the folders above it."""
        children = self._folders.get(folder)
        if children is None:
            children = self._folders[folder] = {}
            above, _, name = folder.rpartition("/")
            self._children(above)[name] = None
        return children

    def _what_is_at(self, path: str) -> str:
        if (entry := self._files.get(path)) is not None:
            return entry.blob
        if path in self._folders:
            return _FOLDER
        if (link := self._link(path)) is not None:
            return f"{_LINK}{link.blob}"
        while path:
            path = path.rpartition("/")[0]
            if path in self._files:
                return _IN_A_FILE
        return ""

    def _listing(self, folder: str, *, sizes: bool) -> str:
        children = self._folders.get(folder)
        if children is None:
            return self._what_is_at(folder)
        listed = [
            f"{name}/" if entry is None else f"{name}\0{entry.size}" if sizes else name
            for name, entry in children.items()
        ]
        return _digest(sorted(listed))

    def _module(self, path: str) -> str:
        """The file or folder of this name, and each file that Python would take for the module."""
        found = [_FOLDER] if path in self._folders else []
        for stem in (path, f"{path}/__init__"):
            found += [file for file in (f"{stem}.py", f"{stem}.pyc") if file in self._files]
            found += sorted(self._libraries.get(stem, ()))
            if (link := self._link(f"{stem}.py")) is not None:
                found.append(f"{_LINK}{link.blob}")
        return "|".join(found)

    @cached_property
    def _everything(self) -> str:
        return _digest([(path, entry.blob) for path, entry in sorted(self._files.items())])


@dataclass(frozen=True, slots=True)
class CacheInputs:
    """What sources of one kind are compiled under: what besides the files themselves decides the outcome.

    `view` is empty for what sees nothing but itself. `image` is the digest of the image, None when none can be
    had now, "" where none is needed; `limits` tells one set of the sandbox's limits from another.
    """

    view: View
    image: str | None
    limits: str = ""
    import_roots: Sequence[str] = ()

    def key(self, source: DiscoveredFile, traced_accesses: Iterable[str], image: str) -> str:
        """The key of a compile of `source` by `image` that asked these questions."""
        conditions = _json(
            [
                COMPILER_VERSION,
                source.kind.value,
                source.path,
                source.blob,
                image,
                self.limits,
                list(self.import_roots),
            ]
        )
        return _sha256(f"{conditions[:-1]},{self.view.answers(tuple(traced_accesses))}]")

    def with_cache_key(self, result: FileResult) -> FileResult:
        """A result of now, with the key by which it can be used again."""
        if result.traced_accesses is None:
            return result
        image = result.image if self.image is None or result.image else self.image
        return replace(result, key=self.key(result.source, result.traced_accesses, image or ""))

    def last_result(self, source: DiscoveredFile, known: CachedResult | None) -> FileResult | None:
        """What is known of the file, if that is what it would give now.

        An image that cannot be had now counts as unchanged: an engine that is away is no reason to fail a
        file that nobody has touched.
        """
        if known is None or not known.key:
            return None
        image = known.image if self.image is None else self.image
        if known.key != self.key(source, known.traced_accesses, image):
            return None
        return FileResult(
            source,
            known.status,
            diagnostics=known.diagnostics,
            image=known.image or None,
            traced_accesses=known.traced_accesses,
            key=known.key,
            retry=known.retry,
            reused=True,
        )


_json = json.JSONEncoder(separators=(",", ":")).encode


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _digest(value: object) -> str:
    return _sha256(_json(value))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
