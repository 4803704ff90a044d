"""Python sources: run in the sandbox, together with the whole repository to import from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from compilers.build_cache import View
from compilers.formats import jar
from compilers.formats.base import Batch, Format
from compilers.formats.sandboxed import import_roots, run_batch
from compilers.imports import ImportGraph, Verdict
from compilers.links import Links
from compilers.result import EVERYTHING, FileResult, FileStatus, not_a_dag_in_doubt, opaque_result, readable
from compilers.sandbox.language import Language
from compilers.sandbox.link_hints import with_link_hints
from compilers.sandbox.source_tar import unfit_name
from compilers.source import Tree, TreeEntry
from kiok.errors import REMEDY, Diagnostic
from kiok.source_encoding import decoded

PYTHON = Language(
    name="python",
    title="Python",
    image_title="image for Python",
    image_property="kiok.sandbox.image.python",
    image_field="imagePython",
    files_per_container=50,
)


def compile_batch(batch: Batch) -> Iterator[FileResult]:
    """Compile every Python source of the batch. Encrypted files and Git LFS pointers fail without a container.

    A module that could not be loaded is an error only if it, or a module of the repository that it imports,
    mentions kiok. Otherwise it is some other Python file (a setup.py, a tool) and listed as no DAG, with a doubt.
    """
    entries = laid_out(batch.tree)
    wanted = {source.path: source for source in batch.sources}
    texts: dict[str, str] = {}
    for entry, content in batch.tree.read([entry for entry in entries if entry.path in wanted]):
        texts[entry.path] = readable(content)
        if opaque := opaque_result(wanted[entry.path], content, text=texts[entry.path]):
            del wanted[entry.path]
            yield opaque
    if not wanted:
        return
    batch = replace(batch, sources=list(wanted.values()))
    links = Links(batch.tree)
    imports = ImportGraph(
        lambda: View(entries, links.entries.values()),
        lambda: _python_texts(batch.tree, entries),
        (batch.subpath, ""),
    )
    for found, unloadable in run_batch(batch, PYTHON, entries, texts):
        result = with_link_hints(found, links, import_roots(batch.subpath))
        if result.retry and result.traced_accesses is not None:
            result = replace(result, traced_accesses=_imported(imports, result.source.path))
        if not unloadable:
            yield _doubting_what_is_empty(result)
            continue
        verdict = imports.judge(result.source.path)
        result = replace(result, traced_accesses=_with(result.traced_accesses, verdict))
        if verdict.mentions_kiok:
            yield result
        else:
            yield not_a_dag_in_doubt(result)


def _imported(imports: ImportGraph, path: str) -> tuple[str, ...]:
    """Return the questions for a file whose own ones were lost with its process, derived from its imports.

    A commit that changes neither the file nor its imports need not wait for another timeout. A read that the text does
    not show, for example of a data file, is covered when the file is retried.
    """
    paths = imports.reachable(path)
    return EVERYTHING if paths is None else tuple(f"p:{one}" for one in sorted(paths))


def _doubting_what_is_empty(result: FileResult) -> FileResult:
    """Add a doubt to the result of a file without statements: truncation or a crash can leave such a file."""
    lines = (result.text or "").splitlines()
    if result.status is not FileStatus.NOT_A_DAG or result.doubts or not all(map(_is_blank, lines)):
        return result
    message = f"the file is empty, or holds only comments. {REMEDY}"
    return replace(result, doubts=(Diagnostic(message, result.source.path),))


def _is_blank(line: str) -> bool:
    text = line.strip("\ufeff \t\f")
    return not text or text.startswith("#")


def laid_out(tree: Tree) -> list[TreeEntry]:
    """Return the entries that a Python file finds in the sandbox."""
    return [
        entry
        for entry in tree.entries
        if entry.is_file and not jar.FORMAT.matches(entry.path) and not unfit_name(entry.path)
    ]


def view_of(tree: Tree, sources: Iterable[str]) -> View:
    """Return the tree as a Python file in the sandbox sees it, with the links that are missing there.

    `sources` are the paths of the commit's sources.
    """
    return View(laid_out(tree), Links(tree).entries.values(), sources)


def _with(traced_accesses: tuple[str, ...] | None, verdict: Verdict) -> tuple[str, ...] | None:
    """Return the file's own questions, and those behind the verdict that it is no DAG."""
    if traced_accesses is None:
        return None
    if verdict.looked_at is None or traced_accesses == EVERYTHING:
        return EVERYTHING
    return tuple(dict.fromkeys((*traced_accesses, *(f"p:{path}" for path in verdict.looked_at))))


def _python_texts(tree: Tree, entries: Sequence[TreeEntry]) -> Mapping[str, str]:
    """Return the text of every Python file of the tree, since any of them may be imported."""
    return _texts(tree, [entry for entry in entries if FORMAT.matches(entry.path)])


def _texts(tree: Tree, entries: Sequence[TreeEntry]) -> Mapping[str, str]:
    # UTF-16 is decoded, although Python does not read it: the text must show whether the file mentions kiok.
    return {entry.path: readable(decoded(content)) for entry, content in tree.read(entries)}


FORMAT = Format(
    name=PYTHON.name,
    suffixes=(".py",),
    compile_batch=compile_batch,
    language=PYTHON,
    view_of=view_of,
    seconds_per_file=0.0027,
    lexer="python",
)
