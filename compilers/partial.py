"""A first attempt with part of the commit, for a few changed Python files among many.

Laying out a thousand files in a container takes longer than compiling one of them. A file that compiled before mostly
asks the same questions of the tree again. So at first it gets only the files that it read in its last compile, and its
new questions are recorded. If the part gives every answer that the whole commit gives, the file could not notice the
difference, and its result is valid. All other files are compiled again with the whole commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compilers.build_cache import CachedResult, View, files_named
from compilers.formats.base import Batch, FormatCompiler
from compilers.result import FileResult, FileStatus
from compilers.source import DiscoveredFile, Ignored, Tree, TreeEntry

MIN_FILES_SAVED = 50  # with fewer, laying out the whole commit is as fast


@dataclass(frozen=True, slots=True)
class PartOfTree:
    """A subset of the entries of a tree; a `compilers.source.Tree`."""

    whole: Tree
    entries: Sequence[TreeEntry]

    @property
    def commit(self) -> str:
        return self.whole.commit

    @property
    def refused(self) -> Sequence[Ignored]:
        return self.whole.refused

    @property
    def oversized(self) -> Sequence[TreeEntry]:
        return self.whole.oversized

    @property
    def links_outside(self) -> Sequence[TreeEntry]:
        return self.whole.links_outside

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        return self.whole.read(entries)


def likely_part(
    tree: Tree, sources: Sequence[DiscoveredFile], known: Mapping[str, CachedResult]
) -> PartOfTree | None:
    """Return the part of `tree` that the sources are likely to read: themselves, and the files they read last time.

    Return None if that is unknown or not worth it: for a file that is new, did not compile, listed a folder or did
    something that cannot be traced.
    """
    wanted = {source.path for source in sources}
    for source in sources:
        last = known.get(source.path)
        if last is None or last.retry or last.status is not FileStatus.COMPILED:
            return None
        for question in last.traced_accesses:
            files = files_named(question)
            if files is None:
                return None
            wanted.update(files)
    # Links are never laid out, but the answers include them.
    entries = [entry for entry in tree.entries if entry.path in wanted or not entry.is_file]
    return PartOfTree(tree, entries) if len(tree.entries) - len(entries) >= MIN_FILES_SAVED else None


def compile_with_part(
    compiler: FormatCompiler, batch: Batch, part: PartOfTree, seen_in_part: View, seen_in_whole: View
) -> Iterator[FileResult]:
    """Compile a batch with `part`, then compile the files that this may have affected with the whole commit.

    The views are those of a file in the sandbox. Yields one result per source, as `compiler` does.
    """
    batch.note(f"first attempt with {len(part.entries)} of {len(batch.tree.entries)} files of the commit")
    sources = {source.path: source for source in batch.sources}
    for result in compiler(replace(batch, tree=part)):
        if _holds(result, seen_in_part, seen_in_whole):
            del sources[result.source.path]
            yield result
    if sources:
        batch.note(
            f"{len(sources)} of {len(batch.sources)} files did not compile with these files or read others; they are "
            "compiled again with the whole commit"
        )
        yield from compiler(replace(batch, sources=list(sources.values())))


def _holds(result: FileResult, seen_in_part: View, seen_in_whole: View) -> bool:
    """Return whether the whole commit would give the same result.

    All questions are known only for a compiled file: an error may name files close to a missing path.
    """
    if result.unavailable:
        return True
    if result.status is not FileStatus.COMPILED or result.traced_accesses is None:
        return False
    return all(
        seen_in_part.answer(question) == seen_in_whole.answer(question) for question in result.traced_accesses
    )
