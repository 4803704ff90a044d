"""Compile a source tree: one result per source file. No Django, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from compilers.build_cache import CachedResult, CacheInputs, View
from compilers.discovery import Discovery, discover
from compilers.formats import FORMATS
from compilers.formats.base import Batch, Format
from compilers.formats.sandboxed import import_roots
from compilers.imported_dags import settle
from compilers.partial import compile_with_part, likely_part
from compilers.result import FileResult, FileStatus, failed
from compilers.sandbox.base import ImageMismatch, ImageMissing, Note, Sandbox, SandboxUnavailable, silent
from compilers.source import DiscoveredFile, Ignored, Tree

_NO_IMAGE = "no image"  # no digest equals it
_OWN_IMAGES: Mapping[str, str] = MappingProxyType({})

# Called with (files done, files to compile) after each compiled file.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Share:
    """The number of files of one format that were found, and how many of them must be compiled."""

    kind: str
    found: int
    due: int

    @property
    def seconds(self) -> float:
        """Return the time that their compilation takes, estimated from the measured time for one file."""
        return self.due * FORMATS[self.kind].seconds_per_file


@dataclass(frozen=True, slots=True)
class Compilation:
    """The outcome of a whole tree: every discovered source exactly once, sorted by path, compiled or not."""

    files: tuple[FileResult, ...]
    ignored: tuple[Ignored, ...]

    @property
    def failed(self) -> tuple[FileResult, ...]:
        return tuple(file for file in self.files if file.status is FileStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Work:
    """The work that a commit requires: the files to compile by format, and the results that hold without a compile.

    `inputs` are the cache inputs by format, `known` the stored result of each path. See `find_work`.
    """

    tree: Tree
    sandbox: Sandbox
    subpath: str
    images: Mapping[str, str]
    known: Mapping[str, CachedResult]
    discovery: Discovery
    inputs: Mapping[str, CacheInputs]
    due: Mapping[str, Sequence[DiscoveredFile]]
    results: Mapping[str, FileResult]

    @property
    def shares(self) -> list[Share]:
        """The number of files of each format that the tree has, and how many of them are compiled."""
        found = Counter(source.kind for source in self.discovery.sources)
        return [Share(kind, found[kind], len(files)) for kind, files in self.due.items()]


def find_work(
    tree: Tree,
    *,
    sandbox: Sandbox,
    subpath: str = "",
    images: Mapping[str, str] = _OWN_IMAGES,
    known: Mapping[str, CachedResult] = MappingProxyType({}),
    served: Collection[str] = (),
) -> Work:
    """Discover every DAG source of the tree under `subpath`, and find those that have to be compiled.

    `images` names the image per format; a format that is missing takes the sandbox's own. `known` is the stored result of
    each path's last compile; without it every file is compiled. `served` are the paths of the files whose DAGs are
    served now.

    Raises what the tree raises when git fails, and CompilerError when the tree as a whole cannot be compiled.
    """
    discovery = discover(tree, subpath, served)
    results = {source.path: failed(source, why) for source, why in discovery.refused}
    by_kind: dict[str, list[DiscoveredFile]] = {name: [] for name in FORMATS}
    for source in discovery.sources:
        by_kind[source.kind].append(source)
    paths = [source.path for source in discovery.sources]
    inputs = {
        kind: _cache_inputs(FORMATS[kind], tree, sandbox, subpath, images, paths)
        for kind, sources in by_kind.items()
        if sources
    }
    due: dict[str, list[DiscoveredFile]] = {kind: [] for kind in inputs}
    for kind, files in due.items():
        for source in by_kind[kind]:
            last = inputs[kind].last_result(source, known.get(source.path))
            if last is None:
                files.append(source)
            else:
                results[source.path] = last
    return Work(tree, sandbox, subpath, images, known, discovery, inputs, due, results)


def compile_work(
    work: Work,
    *,
    labels: tuple[tuple[str, str], ...] = (),
    progress: Progress = lambda _done, _total: None,
    note: Note = silent,
) -> Compilation:
    """Compile the files that are due, and return the result of every file of the commit.

    `progress` is called in the caller's thread, `note` in any. One file's problem is that file's result. Raises what
    the tree raises when git fails, and CompilerError when the tree as a whole cannot be compiled.
    """
    results, inputs = dict(work.results), work.inputs
    done, total = 0, sum(map(len, work.due.values()))
    for kind, files in work.due.items():
        if files:
            batch = Batch(files, work.tree, work.subpath, work.sandbox, labels, work.images, note)
            for result in _compile(FORMATS[kind], batch, inputs[kind].view, work.known):
                results[result.source.path] = (
                    result if result.imported else inputs[kind].with_cache_key(result)
                )
                done += 1
                progress(done, total)
    for source in work.discovery.sources:
        if source.path not in results:
            results[source.path] = failed(source, "the compiler returned no result for this file", retry=True)
    for result in [result for result in results.values() if result.imported]:
        settled = settle(result, results, work.known)
        results[result.source.path] = inputs[result.source.kind].with_cache_key(settled)
    return Compilation(files=tuple(results[path] for path in sorted(results)), ignored=work.discovery.ignored)


def _compile(
    format_: Format, batch: Batch, view: View, known: Mapping[str, CachedResult]
) -> Iterator[FileResult]:
    """Compile a batch. For a few files of many that see the repository, try a part of the commit first."""
    part = likely_part(batch.tree, batch.sources, known) if format_.view_of else None
    if part is None or format_.view_of is None:
        return format_.compile_batch(batch)
    seen_in_part = format_.view_of(part, [source.path for source in batch.sources])
    return compile_with_part(format_.compile_batch, batch, part, seen_in_part, view)


def _cache_inputs(
    format_: Format,
    tree: Tree,
    sandbox: Sandbox,
    subpath: str,
    images: Mapping[str, str],
    sources: Sequence[str],
) -> CacheInputs:
    """Return the compile inputs of one format: what its files see, and the image and limits of its containers."""
    if format_.language is None:
        return CacheInputs(View(()), image="")
    try:
        image = sandbox.image_digest(format_.language, images.get(format_.name, ""))
    except (ImageMissing, ImageMismatch):
        image = _NO_IMAGE  # every file fails with the reason, so that an operator fixes it
    except SandboxUnavailable:
        image = None  # files that must be compiled now fail with the reason
    limits = sandbox.limits.fingerprint()
    if format_.view_of is None:
        return CacheInputs(View(()), image, limits)
    return CacheInputs(format_.view_of(tree, sources), image, limits, import_roots(subpath))
