"""Name the symbolic link or submodule at the path of something that a Python file did not find.

Links are not laid out in the sandbox, so a file that needs one fails with "not found". The host knows the
repository's links and adds the link to the message. The message is recognized by its text: code that prints the same
words gets a superfluous hint, which does no harm.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compilers.links import Links
from compilers.result import FileResult
from compilers.source import TreeEntry
from kiok.errors import Diagnostic

_MISSING_MODULE = re.compile(r"No module named '([\w.]{1,500})'")
_MISSING_NAME = re.compile(
    r"cannot import name '(\w{1,200})' from (?:partially initialized module )?'([\w.]{1,500})'"
)
_MISSING_FILE = re.compile(r"No such file or directory: '([^'\n]{1,3000})'")
_SRC = "/src/"  # where the sandbox holds the repository


def with_link_hints(result: FileResult, links: Links, import_roots: Sequence[str]) -> FileResult:
    """Return the result with the link's name in each diagnostic about something that a link stands for."""
    if not links.entries or not result.diagnostics:
        return result
    own_folder = result.source.path.rpartition("/")[0]
    search = tuple(dict.fromkeys((own_folder, *import_roots)))
    hinted = tuple(_hinted(item, links, search) for item in result.diagnostics)
    doubts = tuple(_hinted(item, links, search) for item in result.doubts)
    return replace(result, diagnostics=hinted, doubts=doubts)


def _hinted(diagnostic: Diagnostic, links: Links, search: Sequence[str]) -> Diagnostic:
    entry = next(_links_missed(diagnostic.message, links, search), None)
    if entry is None:
        return diagnostic
    (link,) = links.read([entry])
    name = link.path.rpartition("/")[2]
    hint = f"{name} is a {link.kind} in the repository ({link}); {link.rule} in the sandbox"
    # Added to the first line: the frames of a traceback follow below it.
    first, newline, rest = diagnostic.message.partition("\n")
    return replace(diagnostic, message=f"{first}: {hint}{newline}{rest}")


def _links_missed(message: str, links: Links, search: Sequence[str]) -> Iterator[TreeEntry]:
    for path in _paths_missed(message, search):
        if (entry := links.at_or_above(path)) is not None:
            yield entry


def _paths_missed(message: str, search: Sequence[str]) -> Iterator[str]:
    """Yield the paths, relative to the repository's root, at which something was missing."""
    modules = [found[1] for found in _MISSING_MODULE.finditer(message)]
    modules += [f"{found[2]}.{found[1]}" for found in _MISSING_NAME.finditer(message)]
    for module in modules:
        parts = [part for part in module.split(".") if part]
        for folder in search:
            for depth in range(1, len(parts) + 1):
                base = posixpath.join(folder, *parts[:depth])
                yield from (base, f"{base}.py", f"{base}/__init__.py")
    for found in _MISSING_FILE.finditer(message):
        path = found[1].removeprefix(_SRC)
        if not path.startswith("/"):
            yield from (posixpath.normpath(posixpath.join(folder, path)) for folder in ("", *search))
