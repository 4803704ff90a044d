"""Which files of a commit are DAG sources: by ending, under the subpath, less `.kiokignore`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compilers.base import Ignored, Kind, Source, Tree
from compilers.ignore_rules import IGNORE_FILE, IgnoreRules

KIND_BY_ENDING = {".yaml": Kind.YAML, ".yml": Kind.YAML, ".py": Kind.PYTHON, ".jar": Kind.JAR}
MAX_SHOWN_PATH = 1024


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a commit holds under the subpath.

    `sources` can be compiled; `refused` are sources that cannot, with what is wrong with their name or size;
    `ignored` would be sources but are left out on purpose.
    """

    sources: tuple[Source, ...]
    refused: tuple[tuple[Source, str], ...]
    ignored: tuple[Ignored, ...]


def discover(tree: Tree, subpath: str = "") -> Discovery:
    """Find the sources under `subpath` ("" is the whole tree).

    `.kiokignore` files count in every folder from the root down, as `.gitignore` files do: patterns
    are relative to their folder and a deeper file has the last word. Raises IgnoreFileError.
    """
    rules = IgnoreRules(tree)
    sources: list[Source] = []
    ignored: list[Ignored] = []
    for entry in tree.entries:
        if not is_under(entry.path, subpath):
            continue
        if entry.mode == "160000":
            ignored.append(Ignored(entry.path, "submodule"))
            continue
        kind = KIND_BY_ENDING.get(_ending(entry.path))
        if kind is None:
            continue
        if not entry.is_file:
            ignored.append(Ignored(entry.path, "symlink"))
        elif rules.ignore(entry.path):
            ignored.append(Ignored(entry.path, IGNORE_FILE))
        else:
            sources.append(Source(entry.path, kind, entry.blob, entry.size))
    return Discovery(tuple(sources), tuple(_refused(tree, subpath, rules)), tuple(ignored))


def _refused(tree: Tree, subpath: str, rules: IgnoreRules) -> Iterator[tuple[Source, str]]:
    """Sources that are there and cannot be read. They are failures: what they gave before stays."""
    for entry in tree.oversized:
        kind = KIND_BY_ENDING.get(_ending(entry.path))
        if kind and is_under(entry.path, subpath) and not rules.ignore(entry.path):
            yield (
                Source(entry.path, kind, entry.blob, entry.size),
                f"the file has {entry.size} bytes, more than is read of one (kiok.gitsync.max.file.bytes)",
            )
    for item in tree.refused:
        kind = KIND_BY_ENDING.get(_ending(item.path))
        if kind and is_under(item.path, subpath) and not rules.ignore(item.path):
            yield (
                Source(item.path[:MAX_SHOWN_PATH], kind, "", 0),
                f"the path cannot be a source path: {item.reason}",
            )


def _ending(path: str) -> str:
    """As `PurePath.suffix`, which takes most of the time that finding 10 000 files takes."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def is_under(path: str, folder: str) -> bool:
    """Whether `path` lies in `folder`, compared by components ("" holds everything)."""
    return not folder or path == folder or path.startswith(folder + "/")
