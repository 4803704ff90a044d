"""The shape of a format, and the input of its compiler."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from compilers.build_cache import View
from compilers.excerpt import LINE_BREAK
from compilers.result import FileResult
from compilers.sandbox.base import Note, Sandbox, silent
from compilers.sandbox.language import Language
from compilers.source import DiscoveredFile, Tree, suffix_of

# Returns a tree as a file of the format sees it; the strings are the paths of the commit's sources.
ViewOf = Callable[[Tree, Sequence[str]], View]


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of a compiler: the sources of its format in one commit, and the sandbox to compile them in.

    `subpath` is the scanned folder ("" for the whole repository). `labels` are set on the containers.
    `images` are the references of the images to use, by format. A format without an entry uses the sandbox's own image.
    `note` receives the images and containers used.
    """

    sources: Sequence[DiscoveredFile]
    tree: Tree
    subpath: str
    sandbox: Sandbox
    labels: tuple[tuple[str, str], ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    note: Note = silent


class FormatCompiler(Protocol):
    """A compiler for one source format. It gives exactly one result per source of the batch, in any order."""

    def __call__(self, batch: Batch) -> Iterator[FileResult]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format of DAG files.

    - `name`: the format in the database, in the API and in messages; at most 10 characters
    - `suffixes`: the endings of its files, in lower case and with the dot
    - `language`: what runs its files in containers; None for a format that is compiled in process, by code of the service
    - `view_of`: what a file can see of its repository; None for a format whose files see only themselves
    - `seconds_per_file`: the time to compile one file, as measured (docs/performance.md: cold, yaml, jars)
    - `line_break`: what ends a line of a file
    - `lexer`: the name of the Pygments lexer that highlights its files, "" for none
    """

    name: str
    suffixes: tuple[str, ...]
    compile_batch: FormatCompiler
    language: Language | None = None
    view_of: ViewOf | None = None
    seconds_per_file: float = 0.0
    line_break: re.Pattern[str] = LINE_BREAK
    lexer: str = ""

    def matches(self, path: str) -> bool:
        """Return whether the path has one of the format's suffixes, in upper or lower case."""
        return suffix_of(path) in self.suffixes
