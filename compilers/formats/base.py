"""What the formats share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from compilers.result import FileResult
from compilers.sandbox.base import Note, Sandbox, silent
from compilers.source import DiscoveredFile, Kind, Tree


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of a compiler: the sources of its kind in one commit, and the sandbox to compile them in.

    `subpath` is the scanned folder ("" for the whole repository). `labels` are set on the containers.
    `images` are the references of the images to use. A kind without an entry uses the sandbox's own image.
    `note` receives the images and containers used.
    """

    sources: Sequence[DiscoveredFile]
    tree: Tree
    subpath: str
    sandbox: Sandbox
    labels: tuple[tuple[str, str], ...] = ()
    images: Mapping[Kind, str] = field(default_factory=dict)
    note: Note = silent


class FormatCompiler(Protocol):
    """A compiler for one source format. It gives exactly one result per source of the batch, in any order."""

    def __call__(self, batch: Batch) -> Iterator[FileResult]: ...
