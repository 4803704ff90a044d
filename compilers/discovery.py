"""Find the DAG sources of a commit: by ending, under the subpath, except those that `.kiokignore` excludes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from compilers.formats import by_suffix, format_of
from compilers.ignore_rules import IGNORE_FILE, IgnoreRules
from compilers.links import Links
from compilers.sandbox.source_tar import unfit_name
from compilers.source import DiscoveredFile, Ignored, Tree, TreeEntry, suffix_of

MAX_SHOWN_PATH = 1024  # characters; the size of the store's column
KEPT_END = 200  # characters kept of a long path's end, which holds the file's name and ending
MAX_MATCHED_PATH = 16_384  # characters; a longer path is refused without matching it against .kiokignore
MAX_LISTED_LINKS = 100  # links that cannot be a source; a package manager's folder holds thousands
MAX_REASON = 250  # characters


@dataclass(frozen=True, slots=True)
class Discovery:
    """The sources of a commit under the subpath.

    `sources` can be compiled. `refused` are sources that cannot, with the problem of their name or size.
    `ignored` are files that would be sources but are excluded on purpose.
    """

    sources: tuple[DiscoveredFile, ...]
    refused: tuple[tuple[DiscoveredFile, str], ...]
    ignored: tuple[Ignored, ...]


def discover(tree: Tree, subpath: str = "", served: Collection[str] = ()) -> Discovery:
    """Find the sources under `subpath` ("" is the whole tree).

    `.kiokignore` files apply in every folder from the root down, as `.gitignore` files do: patterns
    are relative to their folder, and a deeper file takes precedence. `served` are the paths of the files that define
    the current DAGs: such a path that is now a link, or behind one, is refused, because nothing proves that the file
    was deleted. Raises IgnoreFileError.
    """
    rules = IgnoreRules(tree)
    links = Links(tree)
    sources: list[DiscoveredFile] = []
    refused: list[tuple[DiscoveredFile, str]] = []
    ignored: list[Ignored] = []
    formats = by_suffix()
    for entry in tree.entries:
        path = entry.path
        found = formats.get(suffix_of(path))
        if found is None or not entry.is_file or not is_under(path, subpath):
            continue
        source = DiscoveredFile(path, found.name, entry.blob, entry.size)
        if rules.ignore(path):
            ignored.append(Ignored(path, IGNORE_FILE))
        elif found.language and (why := unfit_name(path)):
            refused.append((source, why))
        else:
            sources.append(source)
    refused += _behind_links(links, subpath, served, rules)
    refused += _oversized(tree, subpath, rules)
    failed = {source.path for source, _ in refused}
    ignored += _listed_links(links, subpath, rules, failed)
    ignored.sort(key=lambda item: item.path.encode())
    taken = failed.union((source.path for source in sources), (item.path for item in ignored))
    refused += _refused(tree, subpath, rules, taken)
    rules.keep()
    return Discovery(tuple(sources), tuple(refused), tuple(ignored))


def _behind_links(
    links: Links, subpath: str, served: Collection[str], rules: IgnoreRules
) -> Iterator[tuple[DiscoveredFile, str]]:
    """Yield served files whose path is now a link, or behind one. They fail, so that their DAGs stay."""
    for path in sorted(served) if links.entries else ():
        entry = links.at_or_above(path)
        found = format_of(path)
        if entry is None or found is None or not is_under(path, subpath) or rules.ignore(path):
            continue
        (link,) = links.read([entry])
        is_itself = link.path == path
        content = "file" if is_itself else "folder"
        yield (
            DiscoveredFile(path, found.name, entry.blob if is_itself else "", entry.size if is_itself else 0),
            f"{link.path} is now a {link.kind} ({link}); {link.rule}, so the file cannot be read. Replace it with the "
            f"{content}, or delete it to remove the DAGs",
        )


def _listed_links(
    links: Links, subpath: str, rules: IgnoreRules, failed: Collection[str]
) -> Iterator[Ignored]:
    """Yield links that are not followed: all that would be sources, the first of the others, and a count of the rest."""
    shown: list[TreeEntry] = []
    others = 0
    for path, entry in links.entries.items():
        if not is_under(path, subpath) or path in failed:
            continue
        is_source = format_of(path) is not None
        if rules.ignore(path):
            if is_source:
                yield Ignored(path, IGNORE_FILE)
            continue
        others += not is_source
        if is_source or others <= MAX_LISTED_LINKS:
            shown.append(entry)
    last = max((entry.path for entry in shown if format_of(entry.path) is None), default="")
    for link in links.read(shown):
        reason = f"{link.kind} to {link.target}"[:MAX_REASON] if link.target else link.kind
        if link.path == last and others > MAX_LISTED_LINKS:
            reason += f"; {others - MAX_LISTED_LINKS} more links and submodules are not listed"
        yield Ignored(link.path, reason)


def _oversized(tree: Tree, subpath: str, rules: IgnoreRules) -> Iterator[tuple[DiscoveredFile, str]]:
    """Yield sources above the size limit. They fail, so that their DAGs stay."""
    for entry in tree.oversized:
        found = format_of(entry.path)
        if found and is_under(entry.path, subpath) and not rules.ignore(entry.path):
            yield (
                DiscoveredFile(entry.path, found.name, entry.blob, entry.size),
                f"the file is too large: it has {entry.size} bytes, more than kiok.gitsync.max.file.bytes allows",
            )


def _refused(
    tree: Tree, subpath: str, rules: IgnoreRules, taken: Collection[str]
) -> Iterator[tuple[DiscoveredFile, str]]:
    """Yield sources whose name cannot be a path. Each fails under a distinct path that can be stored."""
    used = set(taken)
    for item in tree.refused:
        found = format_of(item.path)
        if found is None or not is_under(item.path, subpath):
            continue
        if len(item.path) <= MAX_MATCHED_PATH and rules.ignore(item.path):
            continue
        shown = path = shortened(item.path)
        number = 1
        while path in used:  # an escaped name can equal the plain name of another file
            number += 1
            path = f"{shown[: MAX_SHOWN_PATH - 10]} [{number}]"
        used.add(path)
        yield DiscoveredFile(path, found.name, "", 0), f"the path cannot be a source path: {item.reason}"


def shortened(path: str) -> str:
    """Return a path that can be stored: the middle of a long one is replaced by a digest, so that paths stay distinct."""
    if len(path) <= MAX_SHOWN_PATH:
        return path
    digest = hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:16]
    middle = f"...[{digest}]..."
    return path[: MAX_SHOWN_PATH - len(middle) - KEPT_END] + middle + path[-KEPT_END:]


def is_under(path: str, folder: str) -> bool:
    """Return whether `path` lies in `folder`, compared by components ("" contains everything)."""
    return not folder or path == folder or path.startswith(folder + "/")
