"""Rules and verdicts of `.kiokignore` that a process keeps between commits: they save work and change no result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compilers import ignore_rules
from compilers.discovery import Discovery, discover
from compilers.gitignore import Rules
from compilers.ignore_rules import IgnoreFileError
from compilers.source import TreeEntry
from tests.support.trees import MemoryTree

FOLDERS = ("", "dags/", "dags/deep/", "lib/")
NAMES = ("a.py", "b.yaml", "a.py/c.yaml", "dags/d.jar", "e.txt")
PATTERNS = ("a.py", "/a.py", "*.yaml", "!b.yaml", "dags/", "**/deep/*", "deep/**", "", "!a.py", "[ab].*")
_FILE = st.tuples(st.sampled_from([a + b for a in FOLDERS for b in NAMES]), st.sampled_from("12"))
_RULES = st.tuples(
    st.sampled_from([f"{folder}.kiokignore" for folder in FOLDERS]),
    st.lists(st.sampled_from(PATTERNS), max_size=3).map("\n".join),
)
# In a link or a submodule, the content is where it leads.
_MODES = st.sampled_from(["100644"] * 6 + ["100755", "120000", "160000"])
COMMITS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.one_of(_FILE, _RULES), _MODES), max_size=12),
        st.sampled_from(["", "dags", "lib"]),
    ),
    min_size=2,
    max_size=6,
)


class CountingTree(MemoryTree):
    """A tree that lists the paths that were read from it."""

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        self.were_read = [*getattr(self, "were_read", []), *(entry.path for entry in entries)]
        yield from super().read(entries)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    with patch.object(ignore_rules, "_kept", {}):
        yield


def tree_of(commit: list[tuple[tuple[str, str], str]]) -> MemoryTree:
    """Return a tree in which no path is a file and a folder: the later one of the commit wins, as in git."""
    files: dict[str, str] = {}
    modes: dict[str, str] = {}
    for (path, content), mode in commit:
        for other in [*files]:
            if other.startswith(f"{path}/") or path.startswith(f"{other}/"):
                del files[other]
        files[path], modes[path] = content, mode
    return MemoryTree(files, modes={path: modes[path] for path in files})


def found_in(tree: MemoryTree, subpath: str) -> Discovery | str:
    try:
        return discover(tree, subpath)
    except IgnoreFileError as exc:
        return str(exc)


@settings(max_examples=400)
@given(COMMITS)
def test_kept_verdicts_change_no_discovery(
    commits: list[tuple[list[tuple[tuple[str, str], str]], str]],
) -> None:
    with patch.object(ignore_rules, "_kept", {}):
        for commit, subpath in commits:
            tree = tree_of(commit)
            found = found_in(tree, subpath)
            with patch.object(ignore_rules, "_kept", {}):
                assert found == found_in(tree, subpath)


def test_next_commit_matches_only_its_new_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    matched: list[str] = []
    matches = Rules.matches

    def recorded(self: Rules, path: str) -> bool:
        matched.append(path)
        return matches(self, path)

    monkeypatch.setattr(Rules, "matches", recorded)
    files = {".kiokignore": "drafts/\n", "a.yaml": "1", "drafts/b.yaml": "1"}
    first = CountingTree(files)
    assert [source.path for source in discover(first).sources] == ["a.yaml"]
    assert (first.were_read, matched) == ([".kiokignore"], ["a.yaml", "drafts/b.yaml"])

    matched.clear()
    second = CountingTree({**files, "a.yaml": "2", "drafts/c.yaml": "1"})
    found = discover(second)
    assert [item.path for item in found.ignored] == ["drafts/b.yaml", "drafts/c.yaml"]
    assert (hasattr(second, "were_read"), matched) == (False, ["drafts/c.yaml"])

    matched.clear()
    third = CountingTree({**files, ".kiokignore": "a.yaml\n"})
    assert [source.path for source in discover(third).sources] == ["drafts/b.yaml"]
    assert (third.were_read, matched) == ([".kiokignore"], ["a.yaml", "drafts/b.yaml"])


def test_kept_sets_are_bounded_and_the_last_used_stay() -> None:
    for number in range(ignore_rules.MAX_KEPT + 2):
        discover(MemoryTree({".kiokignore": f"{number}.py\n", "a.yaml": ""}))
        discover(MemoryTree({".kiokignore": "0.py\n", "a.yaml": ""}))
    assert len(ignore_rules._kept) == ignore_rules.MAX_KEPT
    first = CountingTree({".kiokignore": "0.py\n", "b.yaml": ""})
    discover(first)
    assert not hasattr(first, "were_read")


def test_large_set_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore_rules, "MAX_KEPT_PATHS", 3)
    discover(MemoryTree({".kiokignore": "x\n", "a.yaml": "", "b/c.yaml": ""}))  # 2 files and 2 folders
    assert ignore_rules._kept == {}


def test_rules_in_use_are_not_shared() -> None:
    files = {".kiokignore": "x\n", "a.yaml": ""}
    discover(MemoryTree(files))
    one, other = CountingTree(files), CountingTree(files)
    rules = [ignore_rules.IgnoreRules(tree) for tree in (one, other)]
    assert (hasattr(one, "were_read"), other.were_read) == (False, [".kiokignore"])
    assert [item.ignore("a.yaml") for item in rules] == [False, False]
