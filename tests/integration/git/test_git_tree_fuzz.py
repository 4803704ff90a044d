"""Trees with names no work tree could hold, made by git's own plumbing."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from compilers.discovery import MAX_SHOWN_PATH, discover
from compilers.ignore_rules import IgnoreFileError
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.process import GitProcess
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, FetchScope, parse_scope
from gitsync.git.tree import GitTree, TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")
LIMITS = TreeLimits(max_file_bytes=40)
PART = parse_scope("dags", "*.py\n--upload-pack=*\n")

# Names of one component, as bytes: no NUL, no slash, not empty; what fsck refuses comes apart, below.
_NAME = st.one_of(
    st.sampled_from(
        [
            *(
                b"-",
                b"--",
                b"--upload-pack=touch x;",
                b"-rf",
                b"::",
                b"a::b.yaml",
                b"a.yaml",
                b"A.yaml",
                b"a.YAML",
            ),
            *(
                b"dags",
                b"Dags",
                b"DAGS",
                b"dags.",
                b"dags ",
                b" ",
                b".",
                b"..",
                b"...",
                b"a.",
                b"a. ",
                b"CON",
                b"nul.py",
            ),
            *(
                b"\n",
                b"a\nb.yaml",
                b"\t",
                b"\r\n",
                b"\x1b[2J",
                b"\x7f",
                b"caf\xe9.py",
                b"caf\xc3\xa9.py",
                b"cafe\xcc\x81.py",
            ),
            *(
                b"\xff\xfe",
                b"\xed\xa0\x80.yaml",
                b"\xc2\x85",
                b"\xe2\x80\xae.py",
                b"a\\b",
                b"\\",
                b'"',
                b"'",
                b"$(id)",
                b"%s",
            ),
            *(
                b"*",
                b"[a-z]",
                b"?",
                b"#",
                b"!",
                b":(top)",
                b":!x",
                b"^{}",
                b"@{1}",
                b"HEAD",
                b".kiokignore",
                b".gitignore",
            ),
            *(b"a" * 255 + b".py", b"x" * 4096, b"\xc3\xa9" * 600 + b".yaml", b"git~1", b".gitattributes"),
        ]
    ),
    st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\0", b"0").replace(b"/", b"-")),
)
_PATHS = st.dictionaries(
    st.lists(_NAME, min_size=1, max_size=4).map(tuple),
    st.binary(max_size=60),
    min_size=1,
    max_size=8,
)
_UNSAFE = {b".", b"..", b".git"}


@dataclass(frozen=True)
class Bench:
    """One repository and one mirror, for many trees."""

    repo: WorkRepo
    url: RemoteUrl
    mirror: Mirror

    def push(self, files: Mapping[tuple[bytes, ...], bytes]) -> str:
        """A commit of these files on main, made by hash-object and mktree."""
        git = self.repo.git
        bare = ("--git-dir", str(self.repo.bare))

        def tree(entries: Mapping[tuple[bytes, ...], bytes]) -> str:
            here: dict[bytes, bytes] = {}
            below: dict[bytes, dict[tuple[bytes, ...], bytes]] = {}
            for path, content in entries.items():
                if len(path) == 1:
                    blob = git(*bare, "hash-object", "-w", "--stdin", stdin=content)
                    here[path[0]] = b"100644 blob " + blob.encode()
                else:
                    below.setdefault(path[0], {})[path[1:]] = content
            for name, inner in below.items():
                here[name] = b"040000 tree " + tree(inner).encode()
            lines = b"".join(line + b"\t" + name + b"\0" for name, line in here.items())
            return git(*bare, "mktree", "-z", stdin=lines)

        commit = git(*bare, "commit-tree", "-m", "hostile", tree(files))
        git(*bare, "update-ref", "refs/heads/main", commit)
        return commit


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repo = WorkRepo(folder / "served")
        repo.git("--git-dir", str(repo.bare), "config", "uploadpack.allowFilter", "true")
        allowed = frozenset({"file"})
        client = GitClient(GitSettings(home=folder / "home", allow_protocols=allowed))
        yield Bench(
            repo, parse_url(repo.file_url, allow_protocols=allowed), Mirror(folder / "m", client, LIMITS)
        )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(files=_PATHS, scope=st.sampled_from([WHOLE, PART]))
@example(files={(b"dags", b"x" * 4096): b"1", (b"-", b"--", b"::"): b"2", (b"dags", b"\n"): b"3"}, scope=PART)
@example(files={(b"a.yaml",): b"1", (b"A.yaml",): b"2", (b"a.YAML",): b"3", (b"a.yaml.",): b"4"}, scope=WHOLE)
@example(files={(b"y" * 1023, b"y" * 1023, b"y" * 1023, b"y" * 1023): b"deep"}, scope=WHOLE)
@example(files={(b"dags", b"\xed\xa0\x80.yaml"): b"", (b"dags", b"caf\xe9.py"): b"z" * 60}, scope=PART)
@pytest.mark.rule("content.case-twins", "content.links")
def test_every_entry_of_a_tree_is_listed_once_and_read_as_it_is(
    bench: Bench, files: dict[tuple[bytes, ...], bytes], scope: FetchScope
) -> None:
    assume(not any(_UNSAFE & {part.lower() for part in path} for path in files))
    assume(not any(path[:depth] in files for path in files for depth in range(1, len(path))))
    commit = bench.push(files)
    with pytest.MonkeyPatch.context() as patch:
        command_lines = _watched(patch)
        try:
            assert bench.mirror.fetch(bench.url, MAIN, None, scope) == commit
        except GitPersonError as error:
            # Some names are like enough to `.git` on some file system for git to refuse them.
            if error.reason is not GitReason.CONTENT_REFUSED:
                raise
            return
        tree = bench.mirror.tree(commit, scope)
        read = {entry.path: content for entry, content in tree.read(tree.entries)}
        found = _discovered(tree, scope)

    decide = scope.decider()
    wanted = {
        path: content
        for path, content in ((b"/".join(parts), content) for parts, content in files.items())
        if decide(path.decode("utf-8", "surrogateescape"))
    }
    oversized = {entry.path.encode("utf-8", "surrogateescape") for entry in tree.oversized}
    listed = [entry.path.encode() for entry in tree.entries]
    assert len(listed) == len(set(listed))
    assert {path.encode(): content for path, content in read.items()} == {
        path: wanted[path] for path in listed
    }
    assert all(len(wanted[path]) > LIMITS.max_file_bytes for path in oversized)
    assert not oversized & set(listed)
    # What is left was refused: each once, with a reason, in words that can be stored and shown.
    assert len(tree.refused) == len(wanted) - len(listed) - len(oversized)
    for item in tree.refused:
        assert item.reason
        assert item.path.isprintable() or not any(ord(character) < 0x20 for character in item.path)
        item.path.encode()
    assert len(found) == len(set(found))
    assert all(len(path) <= MAX_SHOWN_PATH for path in found)
    # The part of the command lines that changes is the commit's id.
    for arguments in command_lines:
        for parts in files:
            assert not any(
                len(part) > 3 and part.decode("latin-1") in word for part in parts for word in arguments
            )


def test_names_that_git_refuses_are_reported_and_nothing_is_kept(bench: Bench) -> None:
    for name in (b".git", b".GIT", b".", b".."):
        raw = (
            b"100644 "
            + name
            + b"\0"
            + bytes.fromhex(bench.repo.git("hash-object", "-w", "--stdin", stdin=b"x"))
        )
        work = bench.repo
        evil = work.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)
        commit = work.git("commit-tree", "-m", "evil", evil)
        work.push(f"+{commit}:refs/heads/main")
        for scope in (WHOLE, PART):
            with pytest.raises(GitPersonError) as caught:
                bench.mirror.fetch(bench.url, MAIN, None, scope)
            assert caught.value.reason is GitReason.CONTENT_REFUSED


def _discovered(tree: GitTree, scope: FetchScope) -> list[str]:
    """Paths of the sources; none where a `.kiokignore` is no text, which is an error that names it."""
    try:
        discovery = discover(tree, scope.subpath)
    except IgnoreFileError as error:
        if ".kiokignore cannot be read" not in str(error):
            raise
        return []
    return [source.path for source in (*discovery.sources, *(source for source, _ in discovery.refused))]


def _watched(patch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every git command started from here on, less the way to the repositories."""
    seen: list[list[str]] = []
    start = GitProcess.__init__

    def watching(self: GitProcess, arguments: list[str], **options: object) -> None:
        seen.append(
            [
                word
                for word in arguments[1:]
                if not word.startswith(("file://", "objects/", "--", "refs/", "+"))
            ]
        )
        start(self, arguments, **options)  # type: ignore[arg-type]

    patch.setattr(GitProcess, "__init__", watching)
    return seen


def test_the_names_used_here_are_ones_that_git_takes(bench: Bench) -> None:
    """Shows that the property above is about trees that get through."""
    names = [b"-rf", b"::", b"a\nb", b"caf\xe9.py", b"x" * 4096, b"a.", b"A.", b"--upload-pack=touch x;"]
    commit = bench.push({(name,): b"1" for name in names})
    assert bench.mirror.fetch(bench.url, MAIN, None) == commit
    tree = bench.mirror.tree(commit)
    assert {entry.path for entry in tree.entries} == {"-rf", "a.", "A.", "--upload-pack=touch x;"}
    assert len(tree.refused) == 4
    out = subprocess.run(
        ["git", "--git-dir", str(bench.mirror.git_directory), "ls-tree", "-z", commit],
        capture_output=True,
        check=True,
    )
    assert len(out.stdout.split(b"\0")) == len(names) + 1
