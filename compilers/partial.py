"""A first try with a part of the commit, for a few changed Python files among many.

To lay out a thousand files in a container takes longer than to compile one of them. A file that compiled before asks the
tree the same questions again, mostly. So it is first given only the files that it read the last time. What it asks now is
recorded; if the part gives every answer that the whole commit gives, the file could not see the difference, and its
result holds. All others are compiled again with the whole commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compilers.base import (
    Batch,
    DiscoveredFile,
    FileResult,
    FileStatus,
    FormatCompiler,
    Ignored,
    Tree,
    TreeEntry,
)
from compilers.build_cache import CachedResult, View, files_named

MIN_FILES_SAVED = 50  # below that, the whole commit is laid out as fast


@dataclass(frozen=True, slots=True)
class PartOfTree:
    """Some of the entries of a tree; a `compilers.base.Tree`."""

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
    """Return the part of `tree` that the sources are likely to read: themselves, and what they read the last time.

    None where that cannot be told, or is not worth it: for a file that is new, did not compile, listed a folder or did
    what cannot be followed.
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
    # Links are never laid out, but the answers name them.
    entries = [entry for entry in tree.entries if entry.path in wanted or not entry.is_file]
    return PartOfTree(tree, entries) if len(tree.entries) - len(entries) >= MIN_FILES_SAVED else None


def compile_with_part(
    compiler: FormatCompiler, batch: Batch, part: PartOfTree, seen_in_part: View, seen_in_whole: View
) -> Iterator[FileResult]:
    """Compile a batch with `part`, then what that may have changed the outcome of, with the whole commit.

    The views are those of a file in the sandbox. Gives one result per source, as `compiler` does.
    """
    batch.note(f"a container gets {len(part.entries)} of {len(batch.tree.entries)} files at first")
    sources = {source.path: source for source in batch.sources}
    for result in compiler(replace(batch, tree=part)):
        if _holds(result, seen_in_part, seen_in_whole):
            del sources[result.source.path]
            yield result
    if sources:
        batch.note(
            f"{len(sources)} of {len(batch.sources)} files did not compile with these or read more; they are "
            "compiled again with the whole commit"
        )
        yield from compiler(replace(batch, sources=list(sources.values())))


def _holds(result: FileResult, seen_in_part: View, seen_in_whole: View) -> bool:
    """Return whether the whole commit would give the same result.

    Only of a file that compiled are all questions known: an error may name what is near a path that was missing.
    """
    if result.unavailable:
        return True
    if result.status is not FileStatus.COMPILED or result.traced_accesses is None:
        return False
    return all(
        seen_in_part.answer(question) == seen_in_whole.answer(question) for question in result.traced_accesses
    )
