"""Mirrors that were damaged, tampered with or left half done: repaired by the next fetch, and never believed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gitsync.git import housekeeping
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from tests.support.mirrors import contents, git_in, url_of
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")


class TestDamage:
    @pytest.fixture
    def commit(self, work_repo: WorkRepo, mirror: Mirror) -> str:
        commit = work_repo.publish({f"dags/{number}.yaml": f"n: {number}\n" * 50 for number in range(20)})
        mirror.fetch(url_of(work_repo), MAIN, None)
        return commit

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.vanished")
    def test_a_deleted_mirror_is_created_again(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        shutil.rmtree(mirror.directory)
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert len(contents(mirror, commit)) == 20

    @pytest.mark.parametrize("name", ["HEAD.lock", "shallow.lock", "refs/kiok/head.lock", "packed-refs.lock"])
    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.garbage")
    def test_a_lock_left_by_a_killed_git_is_repaired(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str, name: str
    ) -> None:
        (mirror.git_directory / name).touch()
        new = work_repo.publish({"b": "2"})
        assert mirror.fetch(url_of(work_repo), MAIN, None) == new
        assert not (mirror.git_directory / name).exists()

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.garbage")
    def test_temporary_packs_of_an_interrupted_fetch_are_removed(
        self, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        leftover = mirror.git_directory / "objects/pack/tmp_pack_Xy12"
        leftover.write_bytes(b"x" * 1000)
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
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
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert not list(folder.glob(f"{name}*"))
        assert len(contents(mirror, commit)) == 20

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
            contents(mirror, commit)
        assert caught.value.reason is GitReason.MIRROR_BROKEN
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert len(contents(mirror, commit)) == 20

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.broken")
    def test_a_missing_pack_is_fetched_again(self, work_repo: WorkRepo, mirror: Mirror, commit: str) -> None:
        for path in (mirror.git_directory / "objects/pack").iterdir():
            path.unlink()
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert len(contents(mirror, commit)) == 20

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
        blob = git_in(mirror, "rev-parse", f"{commit}:dags/7.yaml")
        (mirror.git_directory / "objects" / blob[:2] / blob[2:]).unlink()
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert contents(mirror, commit)["dags/7.yaml"] == b"n: 7\n" * 50

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
    def test_a_tampered_mirror_is_repaired_and_additions_have_no_effect(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror, commit: str, name: str, content: str
    ) -> None:
        mark = tmp_path / "mark"
        target = mirror.git_directory / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(content.format(mark=mark))
        target.chmod(0o755)
        new = work_repo.publish({"b": "2"})
        assert mirror.fetch(url_of(work_repo), MAIN, None) == new
        assert not mark.exists()
        assert (mirror.git_directory / "config").read_text() == housekeeping.MIRROR_CONFIG
        assert not (mirror.git_directory / "hooks").exists()

    def test_a_failing_fetch_leaves_the_mirror_as_it_was(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror, commit: str
    ) -> None:
        before = contents(mirror, commit)
        assert len(before) == 20
        with pytest.raises(GitPersonError):
            mirror.fetch(url_of(work_repo), parse_ref("none"), None)
        shutil.move(work_repo.bare, tmp_path / "gone")
        with pytest.raises(GitError):
            mirror.fetch(url_of(work_repo), MAIN, None)
        assert contents(mirror, commit) == before
        shutil.move(tmp_path / "gone", work_repo.bare)
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
