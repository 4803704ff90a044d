"""Mirrors of real repositories: what is followed, what is repaired, what is never taken for absent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from compilers.base import Tree
from gitsync.git import housekeeping
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.commit_fetch import HEAD_REF
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.tree import PathKind, TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from tests.servers.repositories import WorkRepo

FILE = frozenset({"https", "ssh", "file"})
MAIN = parse_ref("main")


@pytest.fixture
def client(tmp_path: Path) -> GitClient:
    return GitClient(GitSettings(home=tmp_path / "home", allow_protocols=FILE))


@pytest.fixture
def mirror(tmp_path: Path, client: GitClient) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "1", client)


def _url(repo: WorkRepo) -> RemoteUrl:
    return parse_url(repo.file_url, allow_protocols=FILE)


def _contents(mirror: Mirror, commit: str) -> dict[str, bytes]:
    tree = mirror.tree(commit)
    return {entry.path: content for entry, content in tree.read(tree.entries)}


def _git(mirror: Mirror, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(mirror.git_directory), *arguments], capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def _disk_bytes(mirror: Mirror) -> int:
    return sum(path.stat().st_size for path in mirror.git_directory.rglob("*") if path.is_file())


class TestWhatIsFollowed:
    @pytest.mark.rule("paths.full-names")
    def test_a_branch_and_a_tag_of_the_same_name_are_told_apart(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        old = work_repo.publish({"a": "1"})
        work_repo.tag("main")
        new = work_repo.commit({"a": "2"})
        work_repo.push("HEAD:refs/heads/main")
        for ref, expected in (("main", new), ("tag:main", old)):
            assert mirror.probe(_url(work_repo), parse_ref(ref), None) == expected
            assert mirror.fetch(_url(work_repo), parse_ref(ref), None) == expected

    def test_a_branch_whose_name_ends_like_another_is_not_taken_for_it(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"a": "1"})
        work_repo.push("HEAD:refs/heads/x/refs/heads/prod")
        with pytest.raises(GitPersonError) as caught:
            mirror.probe(_url(work_repo), parse_ref("prod"), None)
        assert caught.value.reason is GitReason.REF_MISSING

    @pytest.mark.rule("paths.peeled-tags")
    @pytest.mark.case("refs.tag-peeled")
    def test_an_annotated_tag_is_peeled(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        commit = work_repo.publish({"a": "1"})
        work_repo.tag("v1", annotated=True)
        assert work_repo.git("rev-parse", "v1") != commit
        assert mirror.probe(_url(work_repo), parse_ref("tag:v1"), None) == commit
        assert mirror.fetch(_url(work_repo), parse_ref("tag:v1"), None) == commit

    @pytest.mark.rule("paths.moves")
    @pytest.mark.case("refs.tag-moves", "refs.tag-stays")
    def test_a_tag_is_followed_when_it_moves_both_ways_and_not_by_later_commits(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        url, ref = _url(work_repo), parse_ref("tag:v1")
        first = work_repo.publish({"a": "1"})
        work_repo.tag("v1")
        assert mirror.fetch(url, ref, None) == first
        second = work_repo.publish({"a": "2"})
        assert mirror.fetch(url, ref, None) == first
        work_repo.tag("v1", annotated=True)
        assert mirror.fetch(url, ref, None) == second
        work_repo.tag("v1", at=first)
        assert mirror.fetch(url, ref, None) == first

    def test_an_annotated_tag_is_kept_itself_however_often_it_moves(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        for number in range(housekeeping.MAX_PACKS):
            commit = work_repo.publish({"a": str(number) * 3000})
            work_repo.tag("v1", annotated=True)
            assert mirror.fetch(_url(work_repo), parse_ref("tag:v1"), None) == commit
            assert _git(mirror, "cat-file", "-t", HEAD_REF) == "tag"
            assert _git(mirror, "rev-parse", HEAD_REF) == work_repo.git("rev-parse", "refs/tags/v1")
        assert len(list((mirror.git_directory / "objects/pack").glob("*.pack"))) < housekeeping.MAX_PACKS

    def test_a_tag_on_a_file_is_refused(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        work_repo.tag("blob", at=work_repo.git("rev-parse", "HEAD:a"))
        with pytest.raises(GitPersonError, match="blob") as caught:
            mirror.fetch(_url(work_repo), parse_ref("tag:blob"), None)
        assert caught.value.reason is GitReason.NOT_A_COMMIT

    @pytest.mark.rule("paths.moves")
    @pytest.mark.case("refs.forward-and-back")
    def test_a_branch_is_followed_forward_and_back(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        first = work_repo.publish({"a": "1"})
        assert mirror.fetch(_url(work_repo), MAIN, None) == first
        second = work_repo.publish({"a": "2", "b": "new"})
        assert mirror.fetch(_url(work_repo), MAIN, None) == second
        assert _contents(mirror, second) == {"a": b"2", "b": b"new"}
        work_repo.git("reset", "-q", "--hard", first)
        work_repo.push(force=True)
        assert mirror.fetch(_url(work_repo), MAIN, None) == first
        assert _contents(mirror, first) == {"a": b"1"}

    @pytest.mark.rule("paths.moves")
    def test_a_rewritten_history_is_followed(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(_url(work_repo), MAIN, None)
        commit = work_repo.rewrite({"b": "2"})
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert _contents(mirror, commit) == {"b": b"2"}

    @pytest.mark.case("refs.switched")
    def test_the_branch_can_be_switched(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        main = work_repo.publish({"a": "1"})
        work_repo.git("checkout", "-q", "-b", "team/prod")
        prod = work_repo.publish({"a": "2"})
        for ref, expected in (("main", main), ("team/prod", prod), ("main", main)):
            assert mirror.fetch(_url(work_repo), parse_ref(ref), None) == expected

    @pytest.mark.case("refs.url-changed")
    def test_the_url_can_change_while_the_mirror_is_kept(self, tmp_path: Path, mirror: Mirror) -> None:
        one, two = WorkRepo(tmp_path / "one"), WorkRepo(tmp_path / "two")
        one.publish({"a": "1"})
        second = two.publish({"b": "2"})
        mirror.fetch(_url(one), MAIN, None)
        assert mirror.fetch(_url(two), MAIN, None) == second
        assert _contents(mirror, second) == {"b": b"2"}

    @pytest.mark.rule("content.bare-mirror")
    @pytest.mark.case("depth.one", "depth.stays")
    def test_the_mirror_stays_one_commit_deep(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        for number in range(5):
            commit = work_repo.publish({"a": str(number)})
            mirror.fetch(_url(work_repo), MAIN, None)
            assert _git(mirror, "rev-list", HEAD_REF) == commit

    @pytest.mark.case("refs.missing")
    def test_a_missing_branch_is_an_error_that_names_what_there_is(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"a": "1"})
        work_repo.tag("v1.0")
        for call in (mirror.probe, mirror.fetch):
            with pytest.raises(GitPersonError, match="'main'") as caught:
                call(_url(work_repo), parse_ref("mian"), None)
            assert caught.value.reason is GitReason.REF_MISSING
        with pytest.raises(GitPersonError, match=r"write 'tag:v1\.0'"):
            mirror.probe(_url(work_repo), parse_ref("v1.0"), None)


class TestDamage:
    @pytest.fixture
    def commit(self, work_repo: WorkRepo, mirror: Mirror) -> str:
        commit = work_repo.publish({f"dags/{number}.yaml": f"n: {number}\n" * 50 for number in range(20)})
        mirror.fetch(_url(work_repo), MAIN, None)
        return commit

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.vanished")
    def test_a_mirror_that_vanished_is_made_anew(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        shutil.rmtree(mirror.directory)
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert len(_contents(mirror, commit)) == 20

    @pytest.mark.parametrize("name", ["HEAD.lock", "shallow.lock", "refs/kiok/head.lock", "packed-refs.lock"])
    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.garbage")
    def test_a_lock_left_by_a_killed_git_is_repaired(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str, name: str
    ) -> None:
        (mirror.git_directory / name).touch()
        new = work_repo.publish({"b": "2"})
        assert mirror.fetch(_url(work_repo), MAIN, None) == new
        assert not (mirror.git_directory / name).exists()

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.garbage")
    def test_temporary_packs_of_an_interrupted_fetch_are_removed(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        leftover = mirror.git_directory / "objects/pack/tmp_pack_Xy12"
        leftover.write_bytes(b"x" * 1000)
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert not leftover.exists()

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.broken")
    def test_halves_of_packs_left_by_a_killed_clean_up_are_removed(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        folder = mirror.git_directory / "objects/pack"
        name = "pack-" + "1" * 40
        for ending in (".pack", ".promisor", ".keep"):
            (folder / (name + ending)).write_bytes(b"x" * 1000)
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert not list(folder.glob(f"{name}*"))
        assert len(_contents(mirror, commit)) == 20

    def test_a_corrupt_pack_is_noticed_when_read_and_the_next_fetch_repairs_it(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        (pack,) = (mirror.git_directory / "objects/pack").glob("*.pack")
        size = pack.stat().st_size
        pack.chmod(0o600)
        with pack.open("r+b") as file:
            file.seek(size // 3)
            file.write(b"\xff" * (size // 2))
        with pytest.raises(GitTransientError) as caught:
            _contents(mirror, commit)
        assert caught.value.reason is GitReason.MIRROR_BROKEN
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert len(_contents(mirror, commit)) == 20

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.broken")
    def test_a_missing_pack_is_fetched_again(self, work_repo: WorkRepo, mirror: Mirror, commit: str) -> None:
        for path in (mirror.git_directory / "objects/pack").iterdir():
            path.unlink()
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert len(_contents(mirror, commit)) == 20

    @pytest.mark.rule("content.broken-mirror")
    def test_one_missing_file_of_an_unchanged_commit_is_fetched_again(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        (pack,) = (mirror.git_directory / "objects/pack").glob("*.pack")
        moved = pack.rename(mirror.directory / "moved.pack")
        for path in (mirror.git_directory / "objects/pack").iterdir():
            path.unlink()
        with moved.open("rb") as file:
            subprocess.run(
                ["git", "--git-dir", str(mirror.git_directory), "unpack-objects", "-q"],
                stdin=file,
                check=True,
            )
        blob = _git(mirror, "rev-parse", f"{commit}:dags/7.yaml")
        (mirror.git_directory / "objects" / blob[:2] / blob[2:]).unlink()
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        assert _contents(mirror, commit)["dags/7.yaml"] == b"n: 7\n" * 50

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("config", "[core]\n\tbare = true\n\tfsmonitor = touch {mark}\n"),
            ("config", '[url "file:///nowhere"]\n\tinsteadOf = file://\n'),
            ("objects/info/alternates", "/somewhere/else\n"),
            ("hooks/reference-transaction", "#!/bin/sh\ntouch {mark}\n"),
            ("info/grafts", "0" * 40 + "\n"),
            ("HEAD", "garbage"),
        ],
    )
    @pytest.mark.rule("content.nothing-runs")
    @pytest.mark.case("recovery.tampered")
    def test_a_tampered_mirror_is_repaired_and_what_was_added_never_acts(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror, commit: str, name: str, content: str
    ) -> None:
        mark = tmp_path / "mark"
        target = mirror.git_directory / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(content.format(mark=mark))
        target.chmod(0o755)
        new = work_repo.publish({"b": "2"})
        assert mirror.fetch(_url(work_repo), MAIN, None) == new
        assert not mark.exists()
        assert (mirror.git_directory / "config").read_text() == housekeeping.MIRROR_CONFIG
        assert not (mirror.git_directory / "hooks").exists()

    def test_a_failing_fetch_leaves_the_mirror_as_it_was(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        with pytest.raises(GitPersonError):
            mirror.fetch(_url(work_repo), parse_ref("none"), None)
        shutil.move(work_repo.bare, tmp_path / "gone")
        with pytest.raises(GitError):
            mirror.fetch(_url(work_repo), MAIN, None)
        shutil.move(tmp_path / "gone", work_repo.bare)
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit


class TestSharing:
    @pytest.mark.rule("content.private-directory")
    def test_the_directory_is_private(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(_url(work_repo), MAIN, None)
        assert mirror.directory.stat().st_mode & 0o777 == 0o700

    def test_a_mirror_in_use_is_busy_for_another(
        self, work_repo: WorkRepo, mirror: Mirror, client: GitClient
    ) -> None:
        commit = work_repo.publish({"a": "1"})
        other = Mirror(mirror.directory, client)
        with mirror.hold():
            mirror.fetch(_url(work_repo), MAIN, None)
            with pytest.raises(GitTransientError) as caught:
                other.fetch(_url(work_repo), MAIN, None)
            assert caught.value.reason is GitReason.BUSY
        assert other.fetch(_url(work_repo), MAIN, None) == commit

    def test_a_killed_process_leaves_no_git_behind_and_the_mirror_free(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        commit = work_repo.publish({"a": "1"})
        pidfile = tmp_path / "pid"
        # The process is killed while git runs; git is one that never ends by itself.
        program = f"""
import sys, threading, pathlib
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
client = GitClient(GitSettings(home=pathlib.Path({str(tmp_path / "home")!r})))
mirror = Mirror(pathlib.Path({str(mirror.directory)!r}), client)
with mirror.hold():
    client.run(["-c", "alias.wait=!echo $$ > {pidfile}; exec sleep 300", "wait"], inherit=mirror._inherit)
"""
        process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + 20
        while not (pidfile.exists() and pidfile.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(GitTransientError):
            mirror.fetch(_url(work_repo), MAIN, None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pidfile.read_text()), signal.SIGKILL)

    def test_a_discarded_mirror_is_gone(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(_url(work_repo), MAIN, None)
        mirror.discard()
        assert not mirror.directory.exists()


@pytest.mark.rule("content.disk-bounded")
@pytest.mark.case("surface.disk")
def test_disk_use_is_bounded_over_many_force_pushes(work_repo: WorkRepo, mirror: Mirror) -> None:
    work_repo.publish({"a": "start"})
    size = 40_000
    peak, commit = 0, ""
    for _ in range(60):
        commit = work_repo.rewrite({"a": os.urandom(size), "b": os.urandom(size)})
        assert mirror.fetch(_url(work_repo), MAIN, None) == commit
        peak = max(peak, _disk_bytes(mirror))
    assert peak < (housekeeping.MAX_PACKS + 3) * 2 * size
    assert len(_contents(mirror, commit)) == 2
    # What is left of old commits' shallow marks does not grow either.
    assert len((mirror.git_directory / "shallow").read_text().split()) <= 2 * housekeeping.MAX_SHALLOW_MARKS


class TestTree:
    def test_a_tree_is_what_the_compilers_read(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        files: dict[str, str | bytes] = {
            "b/x.py": "print()",
            "a.yaml": b"\x00\xff" * 1000,
            "ä ö.yaml": "",
            "b.py": "1",
        }
        commit = work_repo.publish(files)
        tree: Tree = mirror.tree(mirror.fetch(_url(work_repo), MAIN, None))
        assert tree.commit == commit
        paths = [entry.path for entry in tree.entries]
        assert paths == sorted(files, key=str.encode)
        read = {entry.path: content for entry, content in tree.read(reversed(tree.entries))}
        assert list(read) == paths[::-1]
        assert read == {
            path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()
        }

    def test_many_files_are_read_by_one_process(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        files: dict[str, str | bytes] = {f"d{n % 7}/f{n}": os.urandom(n * 7) for n in range(1500)}
        commit = work_repo.publish(files)
        mirror.fetch(_url(work_repo), MAIN, None)
        assert _contents(mirror, commit) == files

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
        commit = mirror.fetch(_url(work_repo), MAIN, None)
        assert _contents(mirror, commit) == {path: str(text).encode() for path, text in files.items()}
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
        tree = mirror.tree(mirror.fetch(_url(work_repo), MAIN, None))
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
    def test_a_missing_subpath_differs_from_one_that_is_there(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"dags/prod/a.yaml": "1", "dags2/b.yaml": "1"})
        tree = mirror.tree(mirror.fetch(_url(work_repo), MAIN, None))
        assert tree.kind_of("") is PathKind.FOLDER
        assert tree.kind_of("dags/prod") is PathKind.FOLDER
        assert tree.kind_of("dags/prod/a.yaml") is PathKind.FILE
        assert not tree.has_path("dags/pro")
        assert not tree.has_path("Dags")
        assert [entry.path for entry in tree.under("dags")] == ["dags/prod/a.yaml"]

    def test_names_that_cannot_be_source_paths_are_refused_with_a_reason(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        names = (b"caf\xe9.yaml", b"new\nline.yaml", b"a::b.yaml", b"esc\x1b[1m.yaml", b"x" * 200 + b".yaml")
        for name in names:
            (Path(os.fsdecode(os.fsencode(work_repo.work) + b"/" + name))).write_text("dag:\n")
        work_repo.publish({"good.yaml": "dag:\n"})
        limited = Mirror(mirror.directory, mirror._client, TreeLimits(max_path_bytes=100))
        tree = limited.tree(limited.fetch(_url(work_repo), MAIN, None))
        assert [entry.path for entry in tree.entries] == ["good.yaml"]
        reasons = {item.path: item.reason for item in tree.refused}
        assert "UTF-8" in reasons["caf\\xe9.yaml"]
        assert "control character" in reasons["new\\x0aline.yaml"]
        assert "control character" in reasons["esc\\x1b[1m.yaml"]
        assert "'::'" in reasons["a::b.yaml"]
        assert "205 bytes; allowed are 100" in reasons["x" * 200 + ".yaml"]

    def test_an_oversized_file_is_listed_apart_and_not_absent(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"big.jar": b"x" * 1001, "small.jar": b"x" * 1000})
        limited = Mirror(mirror.directory, mirror._client, TreeLimits(max_file_bytes=1000))
        tree = limited.tree(limited.fetch(_url(work_repo), MAIN, None))
        assert [entry.path for entry in tree.entries] == ["small.jar"]
        assert [(entry.path, entry.size) for entry in tree.oversized] == [("big.jar", 1001)]
        assert tree.has_path("big.jar")
        with pytest.raises(GitPersonError, match="1001 bytes; allowed are 1000"):
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
        commit = limited.fetch(_url(work_repo), MAIN, None)
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
        fetched = limited.fetch(_url(work_repo), parse_ref("bomb"), None)
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
            mirror.fetch(_url(work_repo), parse_ref("evil"), None)
        assert caught.value.reason is GitReason.CONTENT_REFUSED


def test_a_mirror_discarded_while_another_waits_for_it_is_locked_anew(
    work_repo: WorkRepo, mirror: Mirror, client: GitClient
) -> None:
    commit = work_repo.publish({"a": "1"})
    other = Mirror(mirror.directory, client)
    fetched: list[str] = []
    waiting = threading.Thread(target=lambda: fetched.append(other.fetch(_url(work_repo), MAIN, None)))
    with mirror.hold():
        waiting.start()
        time.sleep(0.3)
        mirror.discard()
    waiting.join()
    assert fetched == [commit]
    with other.hold(), pytest.raises(GitTransientError):
        mirror.fetch(_url(work_repo), MAIN, None)
