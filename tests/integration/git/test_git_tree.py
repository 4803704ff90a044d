"""The tree of a commit, as a mirror reads it: every file, nothing that is run or followed, and limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from compilers.source import Tree
from gitsync.git import client as client_module
from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.process import GitProcess
from gitsync.git.ref import parse_ref
from gitsync.git.tree import PathKind, TreeLimits
from tests.support.mirrors import contents, url_of
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")


class TestTree:
    def test_a_tree_has_the_content_that_compilers_read(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        files: dict[str, str | bytes] = {
            "b/x.py": "print()",
            "a.yaml": b"\x00\xff" * 1000,
            "ä ö.yaml": "",
            "b.py": "1",
        }
        commit = work_repo.publish(files)
        tree: Tree = mirror.tree(mirror.fetch(url_of(work_repo), MAIN, None))
        assert tree.commit == commit
        paths = [entry.path for entry in tree.entries]
        assert paths == sorted(files, key=str.encode)
        read = {entry.path: content for entry, content in tree.read(reversed(tree.entries))}
        assert list(read) == paths[::-1]
        assert read == {
            path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()
        }

    def test_many_files_are_read_by_one_process(
        self, work_repo: WorkRepo, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files: dict[str, str | bytes] = {f"d{n % 7}/f{n}": os.urandom(n * 7) for n in range(1500)}
        commit = work_repo.publish(files)
        mirror.fetch(url_of(work_repo), MAIN, None)
        tree = mirror.tree(commit)
        started: list[GitProcess] = []

        def counted(*arguments: Any, **options: Any) -> GitProcess:
            started.append(GitProcess(*arguments, **options))
            return started[-1]

        monkeypatch.setattr(client_module, "GitProcess", counted)
        assert {entry.path: content for entry, content in tree.read(tree.entries)} == files
        assert len(started) == 1

    @pytest.mark.rule("content.nothing-runs")
    def test_attributes_of_the_tree_change_nothing(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        files: dict[str, str | bytes] = {
            ".gitattributes": "*.yaml export-ignore\n*.py export-subst filter=evil text eol=crlf\n",
            "a.yaml": "dag:\n",
            "b.py": "'$Format:%H$'\n",
        }
        work_repo.publish(files)
        marked = tmp_path / "mark"
        # A hostile configuration of the repository that is served does nothing either.
        for key in ("core.fsmonitor", "filter.evil.smudge", "uploadpack.packObjectsHook", "core.sshCommand"):
            work_repo.git("--git-dir", str(work_repo.bare), "config", key, f"touch {marked}")
        for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-upload-pack"):
            path = work_repo.bare / "hooks" / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\ntouch {marked}\n")
            path.chmod(0o755)
        commit = mirror.fetch(url_of(work_repo), MAIN, None)
        assert contents(mirror, commit) == {path: str(text).encode() for path, text in files.items()}
        assert not marked.exists()

    @pytest.mark.rule("content.links")
    def test_symlinks_and_submodules_are_listed_and_not_followed(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.write({"real/a.yaml": "1"})
        (work_repo.work / "link").symlink_to("/etc/passwd")
        work_repo.git("add", "-A")
        work_repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
        work_repo.git("commit", "-q", "-m", "links")
        work_repo.push()
        tree = mirror.tree(mirror.fetch(url_of(work_repo), MAIN, None))
        assert {entry.path: entry.is_file for entry in tree.entries} == {
            "link": False,
            "real/a.yaml": True,
            "sub": False,
        }
        assert tree.kind_of("link") is PathKind.SYMLINK
        assert tree.kind_of("sub") is PathKind.SUBMODULE
        link = next(entry for entry in tree.entries if entry.path == "link")
        assert list(tree.read([link])) == [(link, b"/etc/passwd")]
        with pytest.raises(ValueError, match="submodule"):
            list(tree.read([entry for entry in tree.entries if entry.path == "sub"]))

    @pytest.mark.rule("paths.subpath-in-tree")
    def test_a_missing_subpath_differs_from_an_existing_one(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"dags/prod/a.yaml": "1", "dags2/b.yaml": "1"})
        tree = mirror.tree(mirror.fetch(url_of(work_repo), MAIN, None))
        assert tree.kind_of("") is PathKind.FOLDER
        assert tree.kind_of("dags/prod") is PathKind.FOLDER
        assert tree.kind_of("dags/prod/a.yaml") is PathKind.FILE
        assert tree.kind_of("dags/pro") is None
        assert tree.kind_of("Dags") is None

    def test_names_that_cannot_be_source_paths_are_refused_with_a_reason(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        names = (b"caf\xe9.yaml", b"new\nline.yaml", b"a::b.yaml", b"esc\x1b[1m.yaml", b"x" * 200 + b".yaml")
        for name in names:
            (Path(os.fsdecode(os.fsencode(work_repo.work) + b"/" + name))).write_text("dag:\n")
        work_repo.publish({"good.yaml": "dag:\n"})
        limited = Mirror(mirror.directory, mirror._client, TreeLimits(max_path_bytes=100))
        tree = limited.tree(limited.fetch(url_of(work_repo), MAIN, None))
        assert [entry.path for entry in tree.entries] == ["good.yaml"]
        reasons = {item.path: item.reason for item in tree.refused}
        assert "UTF-8" in reasons["caf\\xe9.yaml"]
        assert "control character" in reasons["new\\x0aline.yaml"]
        assert "control character" in reasons["esc\\x1b[1m.yaml"]
        assert "'::'" in reasons["a::b.yaml"]
        assert "205 bytes, but at most 100 are allowed" in reasons["x" * 200 + ".yaml"]

    def test_an_oversized_file_is_listed_apart_and_not_absent(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"big.jar": b"x" * 1001, "small.jar": b"x" * 1000})
        limited = Mirror(mirror.directory, mirror._client, TreeLimits(max_file_bytes=1000))
        tree = limited.tree(limited.fetch(url_of(work_repo), MAIN, None))
        assert [entry.path for entry in tree.entries] == ["small.jar"]
        assert [(entry.path, entry.size) for entry in tree.oversized] == [("big.jar", 1001)]
        assert tree.kind_of("big.jar") is PathKind.FILE
        with pytest.raises(GitPersonError, match="1001 bytes, but at most 1000 are allowed"):
            list(tree.read(tree.oversized))

    @pytest.mark.parametrize(
        ("limits", "match"),
        [
            (TreeLimits(max_files=2), "the 2 files"),
            (TreeLimits(max_tree_bytes=29), "30 bytes in 3 files.* 29"),
        ],
    )
    def test_a_tree_over_a_limit_is_an_error_with_the_figures(
        self, work_repo: WorkRepo, mirror: Mirror, limits: TreeLimits, match: str
    ) -> None:
        work_repo.publish({"a": "x" * 10, "b": "y" * 10, "c": "z" * 10})
        limited = Mirror(mirror.directory, mirror._client, limits)
        commit = limited.fetch(url_of(work_repo), MAIN, None)
        with pytest.raises(GitPersonError, match=match) as caught:
            limited.tree(commit)
        assert caught.value.reason is GitReason.TREE_TOO_LARGE

    def test_a_tree_bomb_is_stopped(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        """Ten levels of ten entries, all the same: ten thousand million paths in eleven objects."""
        blob = work_repo.git("hash-object", "-w", "--stdin", stdin=b"bomb")
        level = work_repo.git(
            "mktree", stdin=b"".join(f"100644 blob {blob}\tf{n}\n".encode() for n in range(10))
        )
        for _ in range(9):
            level = work_repo.git(
                "mktree", stdin=b"".join(f"040000 tree {level}\td{n}\n".encode() for n in range(10))
            )
        commit = work_repo.git("commit-tree", "-m", "bomb", level)
        work_repo.push(f"{commit}:refs/heads/bomb")
        limited = Mirror(mirror.directory, mirror._client, TreeLimits(max_files=1000))
        fetched = limited.fetch(url_of(work_repo), parse_ref("bomb"), None)
        with pytest.raises(GitPersonError) as caught:
            limited.tree(fetched)
        assert caught.value.reason is GitReason.TREE_TOO_LARGE

    @pytest.mark.rule("running.config")
    def test_a_malicious_tree_is_refused_by_fsck(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        blob = work_repo.git("hash-object", "-w", "--stdin", stdin=b"[core]\n")
        tree = work_repo.git("mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
        raw = b"40000 .git\0" + bytes.fromhex(tree)
        evil = work_repo.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)
        commit = work_repo.git("commit-tree", "-m", "evil", evil)
        work_repo.push(f"{commit}:refs/heads/evil")
        with pytest.raises(GitPersonError) as caught:
            mirror.fetch(url_of(work_repo), parse_ref("evil"), None)
        assert caught.value.reason is GitReason.CONTENT_REFUSED
