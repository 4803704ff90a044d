"""Which files of a commit are DAG sources: by ending, under the subpath, less `.kiokignore`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

from compilers.base import CompilerError, Ignored, Kind, Source, Tree, TreeEntry

IGNORE_FILE = ".kiokignore"
KIND_BY_ENDING = {".yaml": Kind.YAML, ".yml": Kind.YAML, ".py": Kind.PYTHON, ".jar": Kind.JAR}
MAX_IGNORE_FILE_BYTES = 256 * 1024
MAX_SHOWN_PATH = 1024


class IgnoreFileError(CompilerError):
    """A `.kiokignore` cannot be read. Nothing is compiled: a guess could prune."""


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
    rules = _ignore_rules(tree)
    sources: list[Source] = []
    ignored: list[Ignored] = []
    for entry in tree.entries:
        if not is_under(entry.path, subpath):
            continue
        if entry.mode == "160000":
            ignored.append(Ignored(entry.path, "submodule"))
            continue
        kind = KIND_BY_ENDING.get(PurePosixPath(entry.path).suffix)
        if kind is None:
            continue
        if not entry.is_file:
            ignored.append(Ignored(entry.path, "symlink"))
        elif _is_ignored(entry.path, rules):
            ignored.append(Ignored(entry.path, IGNORE_FILE))
        else:
            sources.append(Source(entry.path, kind, entry.blob, entry.size))
    return Discovery(tuple(sources), tuple(_refused(tree, subpath, rules)), tuple(ignored))


def _refused(tree: Tree, subpath: str, rules: dict[str, GitIgnoreSpec]) -> Iterator[tuple[Source, str]]:
    """Sources that are there and cannot be read. They are failures: what they gave before stays."""
    for entry in tree.oversized:
        kind = KIND_BY_ENDING.get(PurePosixPath(entry.path).suffix)
        if kind and is_under(entry.path, subpath) and not _is_ignored(entry.path, rules):
            yield (
                Source(entry.path, kind, entry.blob, entry.size),
                f"the file has {entry.size} bytes, more than is read of one (kiok.gitsync.max.file.bytes)",
            )
    for item in tree.refused:
        kind = KIND_BY_ENDING.get(PurePosixPath(item.path).suffix)
        if kind and is_under(item.path, subpath) and not _is_ignored(item.path, rules):
            yield (
                Source(item.path[:MAX_SHOWN_PATH], kind, "", 0),
                f"the path cannot be a source path: {item.reason}",
            )


def is_under(path: str, folder: str) -> bool:
    """Whether `path` lies in `folder`, compared by components ("" holds everything)."""
    return not folder or path == folder or path.startswith(folder + "/")


def _ignore_rules(tree: Tree) -> dict[str, GitIgnoreSpec]:
    """The rules of every `.kiokignore`, by the folder they are relative to ("" is the root)."""
    files = [
        entry for entry in tree.entries if entry.is_file and PurePosixPath(entry.path).name == IGNORE_FILE
    ]
    _refuse_large(files)
    rules: dict[str, GitIgnoreSpec] = {}
    for entry, content in tree.read(files):
        try:
            lines = content.decode("utf-8").splitlines()
            rules[entry.path.rpartition("/")[0]] = GitIgnoreSpec.from_lines(lines)
        except ValueError as exc:
            raise IgnoreFileError(
                f"{entry.path} cannot be read: {exc}. It takes gitignore patterns, one a line, in UTF-8; "
                "nothing was changed"
            ) from exc
    return rules


def _refuse_large(files: Sequence[TreeEntry]) -> None:
    for entry in files:
        if entry.size > MAX_IGNORE_FILE_BYTES:
            raise IgnoreFileError(
                f"{entry.path} has {entry.size} bytes; at most {MAX_IGNORE_FILE_BYTES} are read. Nothing was changed"
            )


def _is_ignored(path: str, rules: dict[str, GitIgnoreSpec]) -> bool:
    verdict = False
    if rules:
        for folder in _folders_of(path):
            spec = rules.get(folder)
            if spec is not None:
                result = spec.check_file(path[len(folder) + 1 :] if folder else path)
                if result.include is not None:
                    verdict = result.include
    return verdict


def _folders_of(path: str) -> Iterator[str]:
    """The folders that hold `path`, from the root down."""
    yield ""
    position = path.find("/")
    while position != -1:
        yield path[:position]
        position = path.find("/", position + 1)
