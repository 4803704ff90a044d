"""`.kiokignore` against `git check-ignore`: the same patterns, the same paths, the same answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compilers.discovery import discover
from compilers.ignore_rules import IGNORE_FILE
from tests.support.trees import MemoryTree

PATHS = (
    *("a.yaml", "b.yaml", "ab.yaml", "A.yaml", "a.yml", "-.py", "#a.py", "!a.py", "a b.py", "a .py", " a.py"),
    *("ä.py", "e\u0301.py", "[a].py", "a\\b.py", "*.py", "]a.py", "^a.py", "a\t.py", "\x85a.py", "日.yaml"),
    *(
        "a/a.yaml",
        "a/b.yaml",
        "a/b/a.yaml",
        "a/b/c.py",
        "a/b/c/a.py",
        "a/b/c/d/a.yaml",
        "ab/a.yaml",
        "ab/b/a.py",
    ),
    *(
        "b/a.yaml",
        "b/ab.py",
        "b/b/b.yaml",
        "drafts/a.yaml",
        "a b/a.yaml",
        "a /a.yaml",
        "c/a/b/a.yaml",
        "1/2-3.py",
    ),
    *(".hidden/a.py", "a.yaml.d/a.py", "foo/x/bar.py", "foox/y/bar.py", "foobar.py", "x/foo/bar/a.py"),
)
TREES = 10  # compared by one process of git
FOLDERS = sorted({path[:end] for path in PATHS for end, letter in enumerate(path) if letter == "/"})

_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "ab",
            "c",
            "foo",
            "bar",
            "drafts",
            ".yaml",
            ".py",
            ".",
            "A",
            "-",
            "ä",
            "日",
            " ",
            "\t",
            "1",
        ),
        *(
            "*",
            "*",
            "**",
            "***",
            "?",
            "/",
            "/",
            "/**/",
            "**/",
            "/*",
            "/**",
            "\\",
            "\\*",
            "\\ ",
            "\\/",
            "\\a",
            "#",
            "!",
        ),
        *(
            "[ab]",
            "[!a]",
            "[^b]",
            "[a-c]",
            "[c-a]",
            "[]a]",
            "[!]a]",
            "[a",
            "[[:alpha:]]",
            "[[:upper:]]",
            "[[:no:]]",
        ),
        *(
            "[[:a]",
            "[a\\]]",
            "[\\a-\\c]",
            "[/]",
            "[a/b]",
            "[--a]",
            "[ä]",
            "[[:space:]b]",
            "[a-]",
            "[!a-c]",
            "[&&~|]",
        ),
    ]
)
_PATTERN = st.builds(
    lambda sign, start, body, end: f"{sign}{start}{body}{end}",
    st.sampled_from(["", "", "", "!", "\\!", "#", "\\#"]),
    st.sampled_from(["", "", "/", " "]),
    st.one_of(
        st.lists(_PIECES, max_size=6).map("".join),
        st.sampled_from([*PATHS, *FOLDERS]),
        st.builds(
            lambda path, piece, at: path[: at % len(path)] + piece + path[at % len(path) + 1 :],
            st.sampled_from(PATHS),
            _PIECES,
            st.integers(0, 99),
        ),
    ),
    st.sampled_from(["", "", "", "/", " ", "  ", "\\ ", "\\", "\t", "\r", "\x0c"]),
)
_TEXT = st.builds(
    lambda bom, lines, ending, last: bom + ending.join(lines) + last,
    st.sampled_from(["", "", "", "\ufeff"]),
    st.lists(_PATTERN, min_size=1, max_size=4),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
Ignores = Mapping[str, str]  # the text of each ignore file by its folder
Ask = Callable[[Sequence[Ignores]], list[frozenset[str]]]


@pytest.fixture(scope="module")
def ask_git(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return which of `PATHS` and `FOLDERS` git ignores in each of several trees, with one process for all."""
    root = tmp_path_factory.mktemp("ignored")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-c", "core.excludesFile=/dev/null", *arguments]
        done = subprocess.run(
            command, cwd=root, env=environment, input=stdin, capture_output=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    git("init", "-q")
    (root / ".git/info/exclude").write_text("")
    for number in range(TREES):
        for path in PATHS:
            (root / str(number) / path).parent.mkdir(parents=True, exist_ok=True)
            (root / str(number) / path).touch()
    requested = [
        b"".join(f"{number}/{path}\0".encode() for path in (*PATHS, *FOLDERS)) for number in range(TREES)
    ]

    def ask(trees: Sequence[Ignores]) -> list[frozenset[str]]:
        files = {
            root / str(number) / folder / ".gitignore": text
            for number, ignores in enumerate(trees)
            for folder, text in ignores.items()
        }
        for file, text in files.items():
            file.write_bytes(text.encode())
        try:
            answer = git(
                "check-ignore", "--no-index", "-z", "--stdin", stdin=b"".join(requested[: len(trees)])
            )
        finally:
            for file in files:
                file.unlink()
        ignored: list[set[str]] = [set() for _ in trees]
        for line in filter(None, answer.decode().split("\0")):
            number, _, path = line.partition("/")
            ignored[int(number)].add(path)
        return [frozenset(paths) for paths in ignored]

    return ask


def ignored_by_us(ignores: Ignores) -> frozenset[str]:
    files = dict.fromkeys(PATHS, "") | {
        f"{folder}/{IGNORE_FILE}".lstrip("/"): ignores[folder] for folder in ignores
    }
    found = discover(MemoryTree(files))
    assert {source.path for source in found.sources} | {item.path for item in found.ignored} == set(PATHS)
    return frozenset(item.path for item in found.ignored)


def compare(ignores: Ignores, by_git: frozenset[str]) -> None:
    """Assert equal answers, but for a file in an excluded folder that a `!` line includes again."""
    ours = ignored_by_us(ignores)
    assert not ours - by_git, (ignores, sorted(ours - by_git))
    for path in by_git.intersection(PATHS) - ours:
        folders = [folder for folder in FOLDERS if path.startswith(f"{folder}/")]
        assert by_git.intersection(folders), (ignores, path)
        assert any(
            line.startswith("!") for text in ignores.values() for line in text.lstrip("\ufeff").split("\n")
        )


@settings(max_examples=120)
@given(texts=st.lists(_TEXT, min_size=TREES, max_size=TREES))
@example(
    texts=[
        *("drafts\\", "\ufeffdrafts/\n", "foo**/bar.py", "a**/b", "?.py", "*\n!*/\n!*.yaml\n", "**\\/a.yaml"),
        *("a.yaml\x85\n", "a/\n!a/b/\n", "a.yaml  \n!\n/\n\r\n"),
    ]
)
def test_1200_random_patterns_match_as_in_git(texts: list[str], ask_git: Ask) -> None:
    trees = [{"": text} for text in texts]
    for ignores, by_git in zip(trees, ask_git(trees), strict=True):
        compare(ignores, by_git)


_FILES = st.dictionaries(st.sampled_from(["", "a", "a/b", "ab", "foo"]), _TEXT, min_size=2, max_size=3)


@settings(max_examples=30)
@given(trees=st.lists(_FILES, min_size=TREES, max_size=TREES))
def test_random_patterns_in_several_folders_match_as_in_git(
    trees: list[dict[str, str]], ask_git: Ask
) -> None:
    for ignores, by_git in zip(trees, ask_git(trees), strict=True):
        compare(ignores, by_git)


def test_a_later_negation_includes_a_file_of_an_excluded_folder(ask_git: Ask) -> None:
    ignores = {"": "a/\n!a/a.yaml\n!b/b/\n"}
    (by_git,) = ask_git([ignores])
    ours = ignored_by_us(ignores)
    assert {"a/a.yaml", "a/b.yaml"} <= by_git
    assert "a/a.yaml" not in ours
    assert "a/b.yaml" in ours
    # The order counts: an earlier negation has no say.
    assert "a/a.yaml" in ignored_by_us({"": "!a/a.yaml\na/\n"})
