"""Compile a source tree: one result per source file. No Django, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from compilers.build_cache import CachedResult, CacheInputs, View
from compilers.discovery import Discovery, discover
from compilers.formats import jar, python, yaml
from compilers.formats.base import Batch, FormatCompiler
from compilers.imported_dags import settle
from compilers.partial import compile_with_part, likely_part
from compilers.result import FileResult, FileStatus, failed
from compilers.sandbox.base import ImageMismatch, ImageMissing, Note, Sandbox, SandboxUnavailable, silent
from compilers.sandboxed import import_roots
from compilers.source import DiscoveredFile, Ignored, Kind, Tree

COMPILERS: Mapping[Kind, FormatCompiler] = {
    Kind.YAML: yaml.compile_batch,
    Kind.PYTHON: python.compile_batch,
    Kind.JAR: jar.compile_batch,
}

_NO_IMAGE = "no image"  # no digest equals it
_OWN_IMAGES: Mapping[Kind, str] = MappingProxyType({})

# Called with (files done, files to compile) after each compiled file.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Share:
    """The number of files of one kind that were found, and how many of them must be compiled."""

    kind: Kind
    found: int
    due: int


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
    """The work that a commit requires: the files to compile by kind, and the results that hold without a compile.

    `inputs` are the cache inputs by kind, `known` the stored result of each path. See `find_work`.
    """

    tree: Tree
    sandbox: Sandbox
    subpath: str
    images: Mapping[Kind, str]
    known: Mapping[str, CachedResult]
    discovery: Discovery
    inputs: Mapping[Kind, CacheInputs]
    due: Mapping[Kind, Sequence[DiscoveredFile]]
    results: Mapping[str, FileResult]

    @property
    def shares(self) -> list[Share]:
        """The number of files of each kind that the tree has, and how many of them are compiled."""
        found = Counter(source.kind for source in self.discovery.sources)
        return [Share(kind, found[kind], len(files)) for kind, files in self.due.items()]


def compile_tree(
    tree: Tree,
    *,
    sandbox: Sandbox,
    subpath: str = "",
    labels: tuple[tuple[str, str], ...] = (),
    images: Mapping[Kind, str] = _OWN_IMAGES,
    progress: Progress = lambda _done, _total: None,
    note: Note = silent,
    known: Mapping[str, CachedResult] = MappingProxyType({}),
    served: Collection[str] = (),
) -> Compilation:
    """Discover every DAG source of the tree under `subpath`, and compile those that may have changed.

    `find_work` and `compile_work` in one call; see there for the arguments and errors.
    """
    work = find_work(tree, sandbox=sandbox, subpath=subpath, images=images, known=known, served=served)
    return compile_work(work, labels=labels, progress=progress, note=note)


def find_work(
    tree: Tree,
    *,
    sandbox: Sandbox,
    subpath: str = "",
    images: Mapping[Kind, str] = _OWN_IMAGES,
    known: Mapping[str, CachedResult] = MappingProxyType({}),
    served: Collection[str] = (),
) -> Work:
    """Discover every DAG source of the tree under `subpath`, and find those that have to be compiled.

    `images` names the image per kind; a kind that is missing takes the sandbox's own. `known` is the stored result of
    each path's last compile; without it every file is compiled. `served` are the paths of the files whose DAGs are
    served now.

    Raises what the tree raises when git fails, and CompilerError when the tree as a whole cannot be compiled.
    """
    discovery = discover(tree, subpath, served)
    results = {source.path: failed(source, why) for source, why in discovery.refused}
    by_kind: dict[Kind, list[DiscoveredFile]] = {kind: [] for kind in COMPILERS}
    for source in discovery.sources:
        by_kind[source.kind].append(source)
    paths = [source.path for source in discovery.sources]
    inputs = {
        kind: _cache_inputs(kind, tree, sandbox, subpath, images, paths)
        for kind, sources in by_kind.items()
        if sources
    }
    due: dict[Kind, list[DiscoveredFile]] = {kind: [] for kind in inputs}
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
            for result in _compile(kind, batch, inputs[kind].view, work.known):
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


def _compile(kind: Kind, batch: Batch, view: View, known: Mapping[str, CachedResult]) -> Iterator[FileResult]:
    """Compile a batch. For a few Python files of many, try a part of the commit first."""
    compiler = COMPILERS[kind]
    part = likely_part(batch.tree, batch.sources, known) if kind is Kind.PYTHON else None
    if part is None:
        return compiler(batch)
    seen_in_part = python.view_of(part, [source.path for source in batch.sources])
    return compile_with_part(compiler, batch, part, seen_in_part, view)


def _cache_inputs(
    kind: Kind,
    tree: Tree,
    sandbox: Sandbox,
    subpath: str,
    images: Mapping[Kind, str],
    sources: Sequence[str],
) -> CacheInputs:
    """Return the compile inputs of one kind. YAML runs no code, and a jar sees only itself."""
    if kind is Kind.YAML:
        return CacheInputs(View(()), image="")
    try:
        image = sandbox.image_digest(kind, images.get(kind, ""))
    except (ImageMissing, ImageMismatch):
        image = _NO_IMAGE  # every file fails with the reason, so that an operator fixes it
    except SandboxUnavailable:
        image = None  # files that must be compiled now fail with the reason
    limits = sandbox.limits.fingerprint()
    if kind is Kind.JAR:
        return CacheInputs(View(()), image, limits)
    return CacheInputs(python.view_of(tree, sources), image, limits, import_roots(subpath))
