"""The files that `.kiokignore` leaves out, and ignore files that cannot be read."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compilers import ignore_rules
from compilers.discovery import discover, is_under
from compilers.ignore_rules import MAX_IGNORE_FILE_BYTES, IgnoreFileError, IgnoreRules
from compilers.source import Ignored, TreeEntry
from tests.support.trees import MemoryTree

PATHS = (
    "top.yaml",
    "dags/a.yaml",
    "dags/b.py",
    "dags/old/c.yaml",
    "dags/old/deep/d.py",
    "tests/e.yaml",
    "tests/smoke.yaml",
)


def sources(ignores: dict[str, str], *, subpath: str = "", paths: tuple[str, ...] = PATHS) -> list[str]:
    """The paths found in a tree of `paths`, given the text of each `.kiokignore` by its folder."""
    files = dict.fromkeys(paths, "")
    files |= {f"{folder}/.kiokignore".lstrip("/"): text for folder, text in ignores.items()}
    found = discover(MemoryTree(files), subpath)
    every = {source.path for source in found.sources} | {item.path for item in found.ignored}
    assert every == {path for path in paths if is_under(path, subpath)}
    return [source.path for source in found.sources]


def left_out(ignores: dict[str, str], **more: tuple[str, ...]) -> set[str]:
    return set(more.get("paths", PATHS)) - set(sources(ignores, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("", set()),
        ("# dags/a.yaml\n\n   \n", set()),
        ("tests/", {"tests/e.yaml", "tests/smoke.yaml"}),
        ("tests", {"tests/e.yaml", "tests/smoke.yaml"}),
        ("old/", {"dags/old/c.yaml", "dags/old/deep/d.py"}),
        ("/old/", set()),
        ("dags/old/", {"dags/old/c.yaml", "dags/old/deep/d.py"}),
        ("old/deep", set()),
        ("**/old/deep", {"dags/old/deep/d.py"}),
        ("dags/**/d.py", {"dags/old/deep/d.py"}),
        ("*.py", {"dags/b.py", "dags/old/deep/d.py"}),
        ("/*.yaml", {"top.yaml"}),
        ("dags/*.py", {"dags/b.py"}),
        ("[a-b].*", {"dags/a.yaml", "dags/b.py"}),
        ("[!b].py", {"dags/old/deep/d.py"}),
        ("*s[!x]a.yaml", set()),
        ("*s[+-9]a.yaml", set()),
        ("?.py\r\n", {"dags/b.py", "dags/old/deep/d.py"}),
        ("tests/*\n!tests/smoke.yaml", {"tests/e.yaml"}),
        ("!tests/smoke.yaml\ntests/*", {"tests/e.yaml", "tests/smoke.yaml"}),
        ("*\n!top.yaml", set(PATHS) - {"top.yaml"}),
        ("\\!x\n\\#y", set()),
    ],
)
def test_patterns_mean_what_they_mean_in_a_gitignore(text: str, gone: set[str]) -> None:
    assert left_out({"": text}) == gone


def test_what_is_left_out_is_listed_as_ignored() -> None:
    found = discover(MemoryTree({"a.py": "", ".kiokignore": "*.py"}))
    assert found.ignored == (Ignored("a.py", ".kiokignore"),)


def test_patterns_are_relative_to_the_folder_of_their_file() -> None:
    assert left_out({"dags": "/a.yaml\n/old/c.yaml\ntests/"}) == {"dags/a.yaml", "dags/old/c.yaml"}


def test_a_deeper_file_has_the_last_word() -> None:
    assert left_out({"": "*.yaml", "dags": "!a.yaml", "dags/old": "!c.yaml"}) == {
        "top.yaml",
        "tests/e.yaml",
        "tests/smoke.yaml",
    }
    assert left_out({"": "!*.yaml", "dags/old": "c.yaml"}) == {"dags/old/c.yaml"}


def test_a_file_above_the_subpath_counts_too() -> None:
    assert sources({"": "old/"}, subpath="dags") == ["dags/a.yaml", "dags/b.py"]
    assert sources({"": "*.py", "tests": "!*.py"}, subpath="dags") == ["dags/a.yaml", "dags/old/c.yaml"]


@pytest.mark.parametrize(
    ("path", "mode", "named"),
    [
        (
            ".kiokignore",
            "120000",
            r"^\.kiokignore cannot be read: it is a symbolic link, which is not followed",
        ),
        ("deep/.kiokignore", "160000", r"^deep/\.kiokignore cannot be read: it is a submodule"),
        ("deep/.kiokignore/a/b.txt", "100644", r"^deep/\.kiokignore cannot be read: it is a folder"),
    ],
)
def test_an_ignore_file_that_is_no_file_stops_everything(path: str, mode: str, named: str) -> None:
    tree = MemoryTree({"a.py": "", path: "*.py"}, modes={path: mode})
    with pytest.raises(IgnoreFileError, match=named + ".*Replace it with a file.*nothing was changed"):
        discover(tree)


def test_an_ignore_file_with_a_refused_path_stops_the_sync_if_it_applies() -> None:
    refused = [Ignored("deep/er/.kiokignore", "its path is 70 bytes; allowed are 64")]
    assert discover(MemoryTree({"deep/a.py": ""}, refused=refused)).sources
    with pytest.raises(
        IgnoreFileError, match=r"^deep/er/\.kiokignore cannot be read: its path is 70 bytes.* deep/er/x/a\.py"
    ):
        discover(MemoryTree({"deep/er/x/a.py": ""}, refused=refused))


@pytest.mark.parametrize(
    "line", ["drafts\\", "!", "/", "//", "!/", "[", "[a", "[z-a]", "[[:nothing:]]", " ", "\t", "\\"]
)
def test_a_line_that_means_nothing_to_git_ignores_nothing(line: str) -> None:
    assert left_out({"": f"{line}\nold/\n"}) == {"dags/old/c.yaml", "dags/old/deep/d.py"}


def test_a_byte_order_mark_is_no_part_of_the_first_pattern() -> None:
    assert left_out({"dags": "\ufeff/old/\r\n"}) == {"dags/old/c.yaml", "dags/old/deep/d.py"}


@pytest.mark.parametrize(
    ("content", "named"),
    [(b"\xff\xfe*\x00", "UTF-8"), ("drafts/\n".encode("utf-16-le"), "NUL bytes.*UTF-16")],
)
def test_an_ignore_file_that_cannot_be_read_stops_everything(content: bytes, named: str) -> None:
    with pytest.raises(IgnoreFileError, match=r"^deep/\.kiokignore cannot be read") as caught:
        discover(MemoryTree({"a.py": "", "deep/.kiokignore": content}))
    assert re.search(named, str(caught.value))


def test_an_ignore_file_that_is_too_large_stops_everything() -> None:
    fits = b"#" * MAX_IGNORE_FILE_BYTES
    assert discover(MemoryTree({"a.py": "", ".kiokignore": fits})).sources
    with pytest.raises(IgnoreFileError, match=r"^\.kiokignore has 262145 bytes; at most 262144"):
        discover(MemoryTree({"a.py": "", ".kiokignore": fits + b"#"}))


def test_an_ignore_file_that_the_tree_does_not_read_stops_everything_too() -> None:
    oversized = [TreeEntry("deep/.kiokignore", "100644", "b", 10**9)]
    with pytest.raises(IgnoreFileError, match=r"^deep/\.kiokignore has 1000000000 bytes"):
        discover(MemoryTree({"a.py": ""}, oversized=oversized))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 250),
        ("a**" * 60 + "b", "a" * 250),
        ("[a-z]*" * 25 + "B", "a" * 250),
        ("?*" * 60 + "B", "a" * 250),
        ("**/a/" * 30 + "b", "a/" * 500),
        ("**/*a*a*b/" * 20 + "x", "aaaaaaaa/" * 110),
        ("*a" * 40 + "b/*a" * 10, ("a" * 100 + "/") * 10),
    ],
)
def test_patterns_made_to_backtrack_cost_next_to_nothing(pattern: str, path: str) -> None:
    tree = MemoryTree({".kiokignore": pattern, f"{path}x.py": ""})
    started = time.process_time()
    assert len(discover(tree).sources) == 1
    assert time.process_time() - started < 10  # it takes a hundredth of a second


def test_rules_that_take_too_long_in_all_stop_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore_rules, "MAX_SECONDS", 0.05)
    ignore = "".join(f"a{number}*b\n" for number in range(20_000))
    files = {f"{number}.py": "" for number in range(200)}
    with pytest.raises(IgnoreFileError, match=r"took more than 0\.05 s to read and apply"):
        discover(MemoryTree({".kiokignore": ignore, **files}))
    small = {f"{number}/.kiokignore": "*a*b\n" * 100 for number in range(2_000)}
    with pytest.raises(IgnoreFileError, match="took more than"):
        IgnoreRules(MemoryTree(small))


@settings(max_examples=1000)
@given(st.text("[]!^-\\*?/a#\n {}()|+$.&~:z", max_size=40))
def test_any_text_is_read_or_refused_as_an_ignore_file(text: str) -> None:
    with suppress(IgnoreFileError):
        discover(MemoryTree({".kiokignore": text, "a/z.py": "", "a-[z].py": ""}))
