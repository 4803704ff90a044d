"""Which modules of its own repository a Python file may import, told from its text alone.

The text is hostile and may not even parse, so imports are found by pattern, never by running or parsing
it as code. Where in doubt a module counts as imported: that can only turn "not a DAG" into an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

_MENTION = re.compile(r"\bkiok\b")
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+)", re.MULTILINE)


def mentions_kiok(path: str, texts: Mapping[str, str], roots: Sequence[str]) -> bool:
    """Whether the file, or a module of the repository it imports (at any depth), mentions kiok.

    `texts` maps every Python path of the repository to its text; `roots` are the import roots that
    follow the file's own folder.
    """
    own_folder = path.rpartition("/")[0]
    search = tuple(dict.fromkeys((own_folder, *roots)))
    seen = {path}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        text = texts.get(current, "")
        if _MENTION.search(text):
            return True
        for found in imported_paths(current, text, texts, search):
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return False


def imported_paths(path: str, text: str, known: Collection[str], search: Sequence[str]) -> Iterator[str]:
    """The paths among `known` that the text's import statements may name."""
    for match in _IMPORT.finditer(text):
        for part in match[1].split(","):
            module = part.split(" as ")[0].strip()
            for folder in search:
                yield from _candidates(folder, module, known)
    for match in _FROM.finditer(text):
        dots, module, names = match[1], match[2], match[3]
        folders = [_parent(path, len(dots))] if dots else search
        for folder in folders:
            yield from _candidates(folder, module, known)
            for name in re.findall(r"\w+", names):
                yield from _candidates(folder, f"{module}.{name}" if module else name, known)


def _parent(path: str, levels: int) -> str:
    folder = path
    for _ in range(levels):
        folder = folder.rpartition("/")[0]
    return folder


def _candidates(folder: str, module: str, known: Collection[str]) -> Iterator[str]:
    """The file of a dotted module and the `__init__` files on the way to it."""
    base = folder
    for part in module.split("."):
        base = f"{base}/{part}" if base else part
        for candidate in (f"{base}.py", f"{base}/__init__.py"):
            if candidate in known:
                yield candidate
