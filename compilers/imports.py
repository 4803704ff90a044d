"""Find the modules of its own repository that a Python file may import, from its text alone.

The text is untrusted and may not even parse, so imports are found by pattern, never by running or parsing
it as code. In doubt a module counts as imported: that can only turn "not a DAG" into an error.
Every pattern is possessive, so that its cost is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from compilers.build_cache import View

MAX_LOOKED_AT = 500

_MENTION = re.compile(r"\bkiok\b")
_START = r"(?:^|[;:])[ \t\f]*+"
_IMPORT = re.compile(_START + r"import[ \t]++([^\n#;]++)", re.MULTILINE)
# Names in parentheses span lines and comments; without parentheses they end with the line.
_NAMES = r"(?:\((?:[\w\s,*]++|#[^\n]*+)*+|[^\n#;]++)"
_FROM = re.compile(
    _START + rf"from([. \t]++)(?:(?!import\b)([\w.]++)[ \t]*+)?+import\b[ \t]*+({_NAMES})", re.MULTILINE
)
_NAME = re.compile(r"#[^\n]*+|(\w++)")
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class _Import:
    """An imported module: `levels` leading dots, `module` (may be ""), and the names imported from it."""

    levels: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer whether a file is related to kiok, with the paths of the tree that it depends on.

    `looked_at` holds files that were read and paths that were searched, found or not; None if there are more
    than `MAX_LOOKED_AT`.
    """

    mentions_kiok: bool
    looked_at: frozenset[str] | None


class ImportGraph:
    """The import relations between the Python files of one repository.

    `make_view` returns the importable part of the repository, `read_texts` every Python path with its text;
    both are called once, and only when needed. `roots` are the import roots that follow a file's own
    folder. Each text is searched once, no matter how many files import it.
    """

    def __init__(
        self,
        make_view: Callable[[], View],
        read_texts: Callable[[], Mapping[str, str]],
        roots: Sequence[str],
    ) -> None:
        self._make_view = make_view
        self._read_texts = read_texts
        self._roots = tuple(roots)
        self._imports: dict[str, tuple[_Import, ...]] = {}
        self._mentions: dict[str, bool] = {}
        self._clean: dict[str, set[str]] = {}

    @cached_property
    def _view(self) -> View:
        return self._make_view()

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        return self._read_texts()

    def judge(self, path: str) -> Verdict:
        """Determine whether the file, or a module of the repository that it imports (at any depth), mentions kiok."""
        own_folder = path.rpartition("/")[0]
        # Files without a path to a mention stay so for every file that searches the same folders. But the paths
        # they depend on count for this file too, so the shortcut is used only once there are too many to list.
        clean = self._clean.setdefault(own_folder, set())
        search = tuple(dict.fromkeys((own_folder, *self._roots)))
        looked_at: set[str] | None = set()
        seen = {path}
        waiting = [path]
        while waiting:
            current = waiting.pop()
            if looked_at is None and current in clean:
                continue
            if self._mentions_itself(current):
                return Verdict(True, _frozen(looked_at))
            for candidate in self._candidates_of(current, search):
                if looked_at is not None:
                    looked_at.add(candidate)
                    if len(looked_at) > MAX_LOOKED_AT:
                        looked_at = None
                if self._view.is_behind_link(candidate):
                    return Verdict(True, _frozen(looked_at))  # its content is unknown
                if candidate not in seen and self._is_python(candidate):
                    seen.add(candidate)
                    waiting.append(candidate)
        clean |= seen
        return Verdict(False, _frozen(looked_at))

    def reachable(self, path: str) -> frozenset[str] | None:
        """Return every path that the file's imports may refer to, at any depth, found or not.

        Return None for more than `MAX_LOOKED_AT` paths.
        """
        search = tuple(dict.fromkeys((path.rpartition("/")[0], *self._roots)))
        found: set[str] = set()
        waiting = [path]
        while waiting:
            for candidate in self._candidates_of(waiting.pop(), search):
                if candidate in found:
                    continue
                found.add(candidate)
                if len(found) > MAX_LOOKED_AT:
                    return None
                if candidate != path and self._is_python(candidate):
                    waiting.append(candidate)
        return frozenset(found)

    def _is_python(self, path: str) -> bool:
        return path.endswith(".py") and self._view.is_file(path)

    def _mentions_itself(self, path: str) -> bool:
        if path not in self._mentions:
            self._mentions[path] = _MENTION.search(self._texts.get(path, "")) is not None
        return self._mentions[path]

    def _candidates_of(self, path: str, search: Sequence[str]) -> Iterator[str]:
        """Yield the files that the import statements of `path` may run, and the folders that may contain them."""
        if path not in self._imports:
            self._imports[path] = tuple(dict.fromkeys(_statements(self._texts.get(path, ""))))
        for item in self._imports[path]:
            for folder in [_parent(path, item.levels)] if item.levels else search:
                yield from self._candidates(folder, item)

    def _candidates(self, folder: str, item: _Import) -> Iterator[str]:
        """Yield the file of a dotted module, the `__init__` files of its parents, and its submodules."""
        base = folder
        if item.levels:
            yield f"{base}/__init__.py" if base else "__init__.py"
        for part in item.module.split(".") if item.module else ():
            if base:
                yield base
            if not self._view.is_folder(base):
                return
            base = f"{base}/{part}" if base else part
            yield from _files_of(base)
        if base and item.names:
            yield base
        if self._view.is_folder(base):
            for name in item.names:
                yield from _files_of(f"{base}/{name}" if base else name)


def _files_of(base: str) -> tuple[str, str]:
    return f"{base}.py", f"{base}/__init__.py"


def _frozen(paths: set[str] | None) -> frozenset[str] | None:
    return None if paths is None else frozenset(paths)


def _statements(text: str) -> Iterator[_Import]:
    """Yield the import statements of a text, including false ones (in a string, for example)."""
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff")).replace("\\\n", " ")
    for match in _IMPORT.finditer(text):
        for part in match[1].split(","):
            module = part.split(None, 1)[:1]
            if module:
                yield _Import(0, module[0])
    for match in _FROM.finditer(text):
        names = tuple(dict.fromkeys(found[1] for found in _NAME.finditer(match[3]) if found[1]))
        yield _Import(match[1].count("."), match[2] or "", names)


def _parent(path: str, levels: int) -> str:
    folder = path
    for _ in range(levels):
        if not folder:
            break
        folder = folder.rpartition("/")[0]
    return folder
