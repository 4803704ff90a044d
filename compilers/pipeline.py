"""A source tree in, one result per source file out. No Django, no database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from compilers.base import (
    Batch,
    DiscoveredFile,
    FileResult,
    FileStatus,
    FormatCompiler,
    Ignored,
    ImageMismatch,
    ImageMissing,
    Kind,
    Note,
    Sandbox,
    SandboxUnavailable,
    Tree,
    silent,
)
from compilers.build_cache import CachedResult, CacheInputs, View
from compilers.discovery import discover
from compilers.formats import jar, python, yaml
from compilers.imported_dags import settle
from compilers.partial import compile_with_part, likely_part
from compilers.results import failed
from compilers.sandboxed import import_roots

COMPILERS: Mapping[Kind, FormatCompiler] = {
    Kind.YAML: yaml.compile_batch,
    Kind.PYTHON: python.compile_batch,
    Kind.JAR: jar.compile_batch,
}

_NO_IMAGE = "no image"  # no digest equals it
_OWN_IMAGES: Mapping[Kind, str] = MappingProxyType({})

Progress = Callable[[int, int], None]
"""Told (files done, files to compile) after each file that was compiled."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of the files of one kind, how many were found, and how many of them have to be compiled."""

    kind: Kind
    found: int
    due: int


Begun = Callable[[Sequence[Share]], None]
"""Told the shares of the kinds that the tree has, before anything is compiled."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """The outcome of a whole tree: every discovered source exactly once, sorted by path, compiled or not."""

    files: tuple[FileResult, ...]
    ignored: tuple[Ignored, ...]

    @property
    def failed(self) -> tuple[FileResult, ...]:
        return tuple(file for file in self.files if file.status is FileStatus.FAILED)


def compile_tree(
    tree: Tree,
    *,
    sandbox: Sandbox,
    subpath: str = "",
    labels: tuple[tuple[str, str], ...] = (),
    images: Mapping[Kind, str] = _OWN_IMAGES,
    begun: Begun = lambda _shares: None,
    progress: Progress = lambda _done, _total: None,
    note: Note = silent,
    known: Mapping[str, CachedResult] = MappingProxyType({}),
    served: Collection[str] = (),
) -> Compilation:
    """Discover every DAG source of the tree under `subpath`, and compile those that may have changed.

    `images` names the image per kind; a kind that is missing takes the sandbox's own. `known` is what is stored of
    each path's last compile; without it every file is compiled. `served` are the paths of the files that gave the
    DAGs which are served now. `begun` and `progress` are called in the caller's
    thread, `note` in any.

    One file's problem is that file's result. Raises what the tree raises when git fails, and
    CompilerError when the tree cannot be judged as a whole.
    """
    discovery = discover(tree, subpath, served)
    results = {source.path: failed(source, why) for source, why in discovery.refused}
    batches: dict[Kind, list[DiscoveredFile]] = {kind: [] for kind in COMPILERS}
    for source in discovery.sources:
        batches[source.kind].append(source)
    paths = [source.path for source in discovery.sources]
    conditions = {
        kind: _conditions(kind, tree, sandbox, subpath, images, paths)
        for kind, sources in batches.items()
        if sources
    }
    due: dict[Kind, list[DiscoveredFile]] = {kind: [] for kind in conditions}
    for kind, wanted in due.items():
        for source in batches[kind]:
            last = conditions[kind].last_result(source, known.get(source.path))
            if last is None:
                wanted.append(source)
            else:
                results[source.path] = last
    begun([Share(kind, len(batches[kind]), len(wanted)) for kind, wanted in due.items()])
    done, total = 0, sum(map(len, due.values()))
    for kind, wanted in due.items():
        if wanted:
            batch = Batch(wanted, tree, subpath, sandbox, labels, images, note)
            for result in _compile(kind, batch, conditions[kind].view, known):
                results[result.source.path] = (
                    result if result.imported else conditions[kind].with_cache_key(result)
                )
                done += 1
                progress(done, total)
    for source in discovery.sources:
        if source.path not in results:
            results[source.path] = failed(source, "the compiler gave no answer for this file", retry=True)
    for result in [result for result in results.values() if result.imported]:
        settled = settle(result, results, known)
        results[result.source.path] = conditions[result.source.kind].with_cache_key(settled)
    return Compilation(files=tuple(results[path] for path in sorted(results)), ignored=discovery.ignored)


def _compile(kind: Kind, batch: Batch, view: View, known: Mapping[str, CachedResult]) -> Iterator[FileResult]:
    """Compile a batch; a few Python files of many with a part of the commit first."""
    compiler = COMPILERS[kind]
    part = likely_part(batch.tree, batch.sources, known) if kind is Kind.PYTHON else None
    if part is None:
        return compiler(batch)
    seen_in_part = python.view_of(part, [source.path for source in batch.sources])
    return compile_with_part(compiler, batch, part, seen_in_part, view)


def _conditions(
    kind: Kind,
    tree: Tree,
    sandbox: Sandbox,
    subpath: str,
    images: Mapping[Kind, str],
    sources: Sequence[str],
) -> CacheInputs:
    """What decides the outcome of one kind: YAML runs no code, and a jar sees nothing but itself."""
    if kind is Kind.YAML:
        return CacheInputs(View(()), image="")
    try:
        image = sandbox.image_digest(kind, images.get(kind, ""))
    except (ImageMissing, ImageMismatch):
        image = _NO_IMAGE  # somebody has to mend that, and learns of it: every file fails and says why
    except SandboxUnavailable:
        image = None  # files that are compiled now fail, and say why
    limits = sandbox.limits.fingerprint()
    if kind is Kind.JAR:
        return CacheInputs(View(()), image, limits)
    return CacheInputs(python.view_of(tree, sources), image, limits, import_roots(subpath))
