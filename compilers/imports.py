"""Which modules of its own repository a Python file may import, told from its text alone.

The text is hostile and may not even parse, so imports are found by pattern, never by running or parsing
it as code. Where in doubt a module counts as imported: that can only turn "not a DAG" into an error.
Every pattern is possessive, so that no text costs more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_MENTION = re.compile(r"\bkiok\b")
_START = r"(?:^|[;:])[ \t\f]*+"
_IMPORT = re.compile(_START + r"import[ \t]++([^\n#;]++)", re.MULTILINE)
# Names in brackets run over lines and past comments; without brackets they end with the line.
_NAMES = r"(?:\((?:[\w\s,*]++|#[^\n]*+)*+|[^\n#;]++)"
_FROM = re.compile(
    _START + rf"from([. \t]++)(?:(?!import\b)([\w.]++)[ \t]*+)?+import\b[ \t]*+({_NAMES})", re.MULTILINE
)
_NAME = re.compile(r"#[^\n]*+|(\w++)")
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class _Import:
    """One module that is imported: `levels` leading dots, `module` (may be ""), names taken from it."""

    levels: int
    module: str
    names: tuple[str, ...] = ()


class ImportGraph:
    """Who imports whom among the Python files of one repository.

    `texts` maps every Python path of the repository to its text; `roots` are the import roots that
    follow a file's own folder. Each text is read once, however many files import it.
    """

    def __init__(self, texts: Mapping[str, str], roots: Sequence[str]) -> None:
        self._texts = texts
        self._roots = tuple(roots)
        self._folders = {"", *(folder for path in texts for folder in _folders_of(path))}
        self._imports: dict[str, tuple[_Import, ...]] = {}
        self._mentions: dict[str, bool] = {}
        self._clean: dict[str, set[str]] = {}

    def mentions_kiok(self, path: str) -> bool:
        """Whether the file, or a module of the repository it imports (at any depth), mentions kiok."""
        own_folder = path.rpartition("/")[0]
        # What no mention was reached from stays so for every file that searches the same folders.
        clean = self._clean.setdefault(own_folder, set())
        search = tuple(dict.fromkeys((own_folder, *self._roots)))
        seen = {path}
        waiting = [path]
        while waiting:
            current = waiting.pop()
            if self._mentions_itself(current):
                return True
            for found in self._imported(current, search):
                if found not in seen and found not in clean:
                    seen.add(found)
                    waiting.append(found)
        clean |= seen
        return False

    def _mentions_itself(self, path: str) -> bool:
        if path not in self._mentions:
            self._mentions[path] = _MENTION.search(self._texts.get(path, "")) is not None
        return self._mentions[path]

    def _imported(self, path: str, search: Sequence[str]) -> Iterator[str]:
        """The files that the import statements of `path` may run."""
        if path not in self._imports:
            self._imports[path] = tuple(dict.fromkeys(_statements(self._texts.get(path, ""))))
        for item in self._imports[path]:
            for folder in [_parent(path, item.levels)] if item.levels else search:
                yield from self._candidates(folder, item)

    def _candidates(self, folder: str, item: _Import) -> Iterator[str]:
        """The file of a dotted module, the `__init__` files on the way to it, and its submodules."""
        base = folder
        if item.levels:
            yield from self._known(f"{base}/__init__.py" if base else "__init__.py")
        for part in item.module.split(".") if item.module else ():
            if base not in self._folders:
                return
            base = f"{base}/{part}" if base else part
            yield from self._files_of(base)
        if base in self._folders:
            for name in item.names:
                yield from self._files_of(f"{base}/{name}" if base else name)

    def _files_of(self, base: str) -> Iterator[str]:
        yield from self._known(f"{base}.py")
        yield from self._known(f"{base}/__init__.py")

    def _known(self, path: str) -> Iterator[str]:
        if path in self._texts:
            yield path


def _statements(text: str) -> Iterator[_Import]:
    """The import statements of a text, and what only looks like one (in a string, say)."""
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


def _folders_of(path: str) -> Iterator[str]:
    """Every folder that holds `path`, but the root."""
    position = path.find("/")
    while position != -1:
        yield path[:position]
        position = path.find("/", position + 1)
