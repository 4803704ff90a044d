"""Reuse of compile results: a key over all inputs of a file's last compile tells whether its result still holds.

A compile records the file's accesses to the repository's tree as questions (`compilers/images/driver/traced_accesses.py`
lists their kinds). The key is a digest of these questions with their answers in one tree, the file's content and the
compile settings. If the key computed for another tree is equal, the compile would give the same result. The questions
cover reads, misses, imports, modules that would take precedence, and folder listings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from compilers.result import FileResult, FileStatus
from compilers.source import DiscoveredFile, TreeEntry
from kiok.errors import Diagnostic

COMPILER_VERSION = 5  # raised when the same file could compile to a different result than before

_FOLDER = "/"
_IN_A_FILE = "!"
_LINK = "@"  # followed by its object id
_SOURCE = "d:"


def files_named(question: str) -> tuple[str, ...] | None:
    """Return the paths of the files that a question may concern; None if it concerns a folder or the whole tree."""
    path = question[2:]
    match question[:2]:
        case "p:":
            return (path,)
        case "m:":
            return tuple(f"{path}{ending}" for ending in (".py", ".pyc", "/__init__.py", "/__init__.pyc"))
    return None


def is_source(path: str) -> str:
    """Return the question "Is `path` a source of the commit?". The host asks it; a file never does."""
    return _SOURCE + path


class CachedResult(NamedTuple):
    """The cached result of a file's last compile: its outcome, and the inputs that tell whether it still holds.

    `image` is the digest of the image that compiled it, "" if none was needed. `retry` is True for a failure that
    is kept only until the file is retried. `dags` holds only id and spec hash of each DAG; the rest is in the store.
    A sync creates one for each file of the repository; a tuple takes a third of the time of a frozen dataclass.
    """

    key: str
    traced_accesses: tuple[str, ...]
    image: str
    status: FileStatus
    diagnostics: tuple[Diagnostic, ...] = ()
    retry: bool = False
    dags: tuple[tuple[str, str], ...] = ()


class View:
    """A tree as a file in the sandbox sees it: regular files, by path relative to the repository's root.

    `links` do not exist in the sandbox. They are part of the answers, because the error of a file that misses a link
    names it. `sources` are the paths that are compiled as files of their own.
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
        """Return the answer, which is equal for two trees only if they do not differ in the content asked about.

        A question of unknown kind covers everything.
        """
        known = self._answers.get(question)
        if known is None:
            kind = self._kinds.get(question[:2])
            known = kind(question[2:]) if kind else self._everything
            self._answers[question] = known
        return known

    def answers(self, traced_accesses: tuple[str, ...]) -> str:
        """Return the sorted questions with their answers as JSON, cached, since files of a folder share questions."""
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
        """Return whether `path` is a link or leads through one."""
        return self._link(path) is not None

    def _link(self, path: str) -> TreeEntry | None:
        while path and self._links:
            if (entry := self._links.get(path)) is not None:
                return entry
            path = path.rpartition("/")[0]
        return None

    def _children(self, folder: str) -> dict[str, TreeEntry | None]:
        """Return the content of a folder. On first use, register the folder in its parents."""
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
        """Describe the file or folder of this name, and each file that Python could load as the module."""
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
    """The inputs of a compile other than the files themselves, for sources of one format.

    `view` is empty for a format that sees only its own file. `image` is the digest of the image, None if it is
    unavailable now, "" if none is needed. `limits` is a fingerprint of the sandbox's limits.
    """

    view: View
    image: str | None
    limits: str = ""
    import_roots: Sequence[str] = ()

    def key(self, source: DiscoveredFile, traced_accesses: Iterable[str], image: str) -> str:
        """Return the key of a compile of `source` by `image` that asked these questions."""
        of_file = ",".join(map(encode_basestring_ascii, (source.kind, source.path, source.blob)))
        settings = _settings(image, self.limits, tuple(self.import_roots))
        answers = self.view.answers(tuple(traced_accesses))
        return _sha256(f"[{COMPILER_VERSION},{of_file},{settings},{answers}]")

    def with_cache_key(self, result: FileResult) -> FileResult:
        """Return a new result with the key under which it can be reused."""
        if result.traced_accesses is None:
            return result
        image = result.image if self.image is None or result.image else self.image
        return replace(result, key=self.key(result.source, result.traced_accesses, image or ""))

    def last_result(self, source: DiscoveredFile, known: CachedResult | None) -> FileResult | None:
        """Return the cached result of the file if a compile would give the same now.

        An image that is unavailable now counts as unchanged: an engine that is down is no reason to fail a
        file that did not change.
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


@lru_cache(maxsize=64)
def _settings(image: str, limits: str, import_roots: tuple[str, ...]) -> str:
    """Return the inputs that all files of a format have in common, as elements of a JSON list."""
    return _json([image, limits, import_roots])[1:-1]


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _digest(value: object) -> str:
    return _sha256(_json(value))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
