"""`.kiokignore`: files that are excluded on purpose, in the syntax of `.gitignore`.

The patterns are untrusted and run on the host: matching one pattern is bounded (`compilers.wildmatch`), and all of
them share a time limit.

Rules and verdicts depend only on the ignore files and the paths. A process keeps them under the object ids of the ignore
files, so that a later commit neither reads unchanged ignore files nor matches the paths that it already matched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from compilers.gitignore import IgnoreRule, Rules, parse_rules
from compilers.source import CompilerError, Tree, TreeEntry

IGNORE_FILE = ".kiokignore"
MAX_IGNORE_FILE_BYTES = 256 * 1024
MAX_SECONDS = 30.0
MAX_KEPT = 8  # sets of ignore files that a process keeps, the last used ones
MAX_KEPT_PATHS = 20_000  # verdicts on files and folders of one set; a larger set is not kept

_KINDS = {"120000": "a symbolic link, which is not followed", "160000": "a submodule"}


class IgnoreFileError(CompilerError):
    """A `.kiokignore` file cannot be read or applied. Nothing is compiled, because guessing could prune DAGs."""


@dataclass(slots=True)
class _Decided:
    """The rules of a set of ignore files, and the verdicts on the files that were matched with them."""

    rules: Rules
    verdicts: dict[str, bool] = field(default_factory=dict)


_Files = tuple[tuple[str, str], ...]  # the path and the object id of each ignore file of a tree
_kept: dict[_Files, _Decided] = {}  # the last used one at the end
_kept_lock = threading.Lock()


class IgnoreRules:
    """The rules of all `.kiokignore` files of a tree: relative to their folder, and a deeper file takes precedence."""

    def __init__(self, tree: Tree) -> None:
        """Read the files. Raises IgnoreFileError for one that is too large or cannot be read."""
        named = [entry for entry in (*tree.entries, *tree.oversized) if IGNORE_FILE in entry.path]
        found = [entry for entry in named if IGNORE_FILE in entry.path.split("/")]
        _refuse_unreadable(found)
        files = [entry for entry in found if entry.is_file]
        # By folder: a folder whose ignore file cannot be read because its path is too long.
        self._unreadable = {
            item.path.rpartition("/")[0]: item
            for item in tree.refused
            if item.path.endswith(f"/{IGNORE_FILE}")
        }
        self._seconds = 0.0
        self._files: _Files = tuple((entry.path, entry.blob) for entry in files)
        # Taken out, not shared: another thread that finds none reads the files itself.
        decided = _kept.pop(self._files, None)
        self._decided = _Decided(Rules(self._read(tree, files))) if decided is None else decided

    def _read(self, tree: Tree, files: Sequence[TreeEntry]) -> dict[str, Sequence[IgnoreRule]]:
        rules: dict[str, Sequence[IgnoreRule]] = {}
        for entry, content in tree.read(files) if files else ():
            with self._timed():
                rules[entry.path.rpartition("/")[0]] = _rules_of(entry, content)
        return rules

    def ignore(self, path: str) -> bool:
        """Return whether a file is excluded.

        Raises IgnoreFileError once the rules took too long, or if one that applies to the file could not be read.
        """
        if self._unreadable:
            self._refuse_below_unreadable(path)
        rules, verdicts = self._decided.rules, self._decided.verdicts
        if not rules:
            return False
        verdict = verdicts.get(path)
        if verdict is None:
            with self._timed():
                verdict = verdicts[path] = rules.matches(path)
        return verdict

    def keep(self) -> None:
        """Keep the rules and the verdicts for trees with the same ignore files. Do not use this object afterwards."""
        if not self._files or len(self._decided.verdicts) + self._decided.rules.folders > MAX_KEPT_PATHS:
            return
        with _kept_lock:
            _kept[self._files] = self._decided
            while len(_kept) > MAX_KEPT:
                del _kept[next(iter(_kept))]

    def _refuse_below_unreadable(self, path: str) -> None:
        folder = path
        while folder := folder.rpartition("/")[0]:
            if item := self._unreadable.get(folder):
                raise IgnoreFileError(
                    f"{item.path} cannot be read: {item.reason}. It applies to {path}. Shorten or rename its folder; "
                    "nothing was changed"
                )

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Add the time of the block to the total. It is bounded for one file, but not for all of them."""
        started = time.monotonic()
        yield
        self._seconds += time.monotonic() - started
        if self._seconds > MAX_SECONDS:
            raise IgnoreFileError(
                f"the {IGNORE_FILE} files took more than {MAX_SECONDS:g} s to read and apply. "
                "Use fewer or simpler patterns; nothing was changed"
            )


def read_patterns(text: str) -> Rules:
    """Parse gitignore patterns, one per line, for paths relative to the root. Raises ValueError."""
    return Rules({"": parse_rules(text)})


def _rules_of(entry: TreeEntry, content: bytes) -> list[IgnoreRule]:
    try:
        return parse_rules(content.decode("utf-8"))
    except ValueError as exc:
        raise IgnoreFileError(
            f"{entry.path} cannot be read: {str(exc)[:200]}. It must hold gitignore patterns, one per line, in UTF-8; "
            "nothing was changed"
        ) from exc


def _refuse_unreadable(found: Sequence[TreeEntry]) -> None:
    """Raise IgnoreFileError for an entry with the name of an ignore file that is no file or is too large."""
    for entry in found:
        above, _, below = f"/{entry.path}/".partition(f"/{IGNORE_FILE}/")
        path = f"{above}/{IGNORE_FILE}".removeprefix("/")
        kind = "a folder" if below else _KINDS.get(entry.mode)
        if kind is not None:
            raise IgnoreFileError(
                f"{path} cannot be read: it is {kind}. Replace it with a file of gitignore patterns, or delete it; "
                "nothing was changed"
            )
        if entry.size > MAX_IGNORE_FILE_BYTES:
            raise IgnoreFileError(
                f"{path} has {entry.size} bytes; at most {MAX_IGNORE_FILE_BYTES} are allowed. Nothing was changed"
            )
