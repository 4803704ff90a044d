"""Compile a tree in one call, for tests that need no step in between."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from compilers.build_cache import CachedResult
from compilers.pipeline import Compilation, compile_work, find_work
from compilers.sandbox.base import Note, Sandbox, silent
from compilers.source import Tree


def compile_tree(
    tree: Tree,
    *,
    sandbox: Sandbox,
    subpath: str = "",
    labels: tuple[tuple[str, str], ...] = (),
    images: Mapping[str, str] = MappingProxyType({}),
    note: Note = silent,
    known: Mapping[str, CachedResult] = MappingProxyType({}),
) -> Compilation:
    """Call `find_work`, then `compile_work` with its result."""
    work = find_work(tree, sandbox=sandbox, subpath=subpath, images=images, known=known)
    return compile_work(work, labels=labels, note=note)
