"""Mirrors of real repositories: followed refs, concurrent use, and size."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitsync.git import housekeeping
from gitsync.git.client import GitClient
from gitsync.git.commit_fetch import HEAD_REF
from gitsync.git.errors import GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror, _try_lock
from gitsync.git.ref import parse_ref
from tests.support.mirrors import contents, disk_bytes, git_in, url_of
from tests.support.servers.repositories import WorkRepo
from tests.support.waiting import wait_until

MAIN = parse_ref("main")


class TestWhatIsFollowed:
    @pytest.mark.rule("paths.full-names")
    def test_a_branch_and_a_tag_of_the_same_name_are_distinguished(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        old = work_repo.publish({"a": "1"})
        work_repo.tag("main")
        new = work_repo.commit({"a": "2"})
        work_repo.push("HEAD:refs/heads/main")
        for ref, expected in (("main", new), ("tag:main", old)):
            assert mirror.probe(url_of(work_repo), parse_ref(ref), None) == expected
            assert mirror.fetch(url_of(work_repo), parse_ref(ref), None) == expected

    def test_a_branch_whose_name_ends_like_another_is_not_taken_for_it(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"a": "1"})
        work_repo.push("HEAD:refs/heads/x/refs/heads/prod")
        with pytest.raises(GitPersonError) as caught:
            mirror.probe(url_of(work_repo), parse_ref("prod"), None)
        assert caught.value.reason is GitReason.REF_MISSING

    @pytest.mark.rule("paths.peeled-tags")
    @pytest.mark.case("refs.tag-peeled")
    def test_an_annotated_tag_is_peeled(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        commit = work_repo.publish({"a": "1"})
        work_repo.tag("v1", annotated=True)
        assert work_repo.git("rev-parse", "v1") != commit
        assert mirror.probe(url_of(work_repo), parse_ref("tag:v1"), None) == commit
        assert mirror.fetch(url_of(work_repo), parse_ref("tag:v1"), None) == commit

    @pytest.mark.rule("paths.moves")
    @pytest.mark.case("refs.tag-moves", "refs.tag-stays")
    def test_a_tag_is_followed_when_it_moves_and_not_by_later_commits(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        url, ref = url_of(work_repo), parse_ref("tag:v1")
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
            assert mirror.fetch(url_of(work_repo), parse_ref("tag:v1"), None) == commit
            assert git_in(mirror, "cat-file", "-t", HEAD_REF) == "tag"
            assert git_in(mirror, "rev-parse", HEAD_REF) == work_repo.git("rev-parse", "refs/tags/v1")
        assert len(list((mirror.git_directory / "objects/pack").glob("*.pack"))) < housekeeping.MAX_PACKS

    def test_a_tag_on_a_file_is_refused(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        work_repo.tag("blob", at=work_repo.git("rev-parse", "HEAD:a"))
        with pytest.raises(GitPersonError, match="blob") as caught:
            mirror.fetch(url_of(work_repo), parse_ref("tag:blob"), None)
        assert caught.value.reason is GitReason.NOT_A_COMMIT

    @pytest.mark.rule("paths.moves")
    @pytest.mark.case("refs.forward-and-back")
    def test_a_branch_is_followed_forward_and_back(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        first = work_repo.publish({"a": "1"})
        assert mirror.fetch(url_of(work_repo), MAIN, None) == first
        second = work_repo.publish({"a": "2", "b": "new"})
        assert mirror.fetch(url_of(work_repo), MAIN, None) == second
        assert contents(mirror, second) == {"a": b"2", "b": b"new"}
        work_repo.git("reset", "-q", "--hard", first)
        work_repo.push(force=True)
        assert mirror.fetch(url_of(work_repo), MAIN, None) == first
        assert contents(mirror, first) == {"a": b"1"}

    @pytest.mark.rule("paths.moves")
    def test_a_rewritten_history_is_followed(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(url_of(work_repo), MAIN, None)
        commit = work_repo.rewrite({"b": "2"})
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        assert contents(mirror, commit) == {"b": b"2"}

    @pytest.mark.case("refs.switched")
    def test_the_branch_can_be_switched(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        main = work_repo.publish({"a": "1"})
        work_repo.git("checkout", "-q", "-b", "team/prod")
        prod = work_repo.publish({"a": "2"})
        for ref, expected in (("main", main), ("team/prod", prod), ("main", main)):
            assert mirror.fetch(url_of(work_repo), parse_ref(ref), None) == expected

    @pytest.mark.case("refs.url-changed")
    def test_the_url_can_change_while_the_mirror_is_kept(self, tmp_path: Path, mirror: Mirror) -> None:
        one, two = WorkRepo(tmp_path / "one"), WorkRepo(tmp_path / "two")
        one.publish({"a": "1"})
        second = two.publish({"b": "2"})
        mirror.fetch(url_of(one), MAIN, None)
        assert mirror.fetch(url_of(two), MAIN, None) == second
        assert contents(mirror, second) == {"b": b"2"}

    @pytest.mark.rule("content.bare-mirror")
    @pytest.mark.case("depth.one", "depth.stays")
    def test_the_mirror_stays_one_commit_deep(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        for number in range(5):
            commit = work_repo.publish({"a": str(number)})
            mirror.fetch(url_of(work_repo), MAIN, None)
            assert git_in(mirror, "rev-list", HEAD_REF) == commit

    @pytest.mark.case("refs.missing")
    def test_a_missing_branch_is_an_error_that_names_existing_branches(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        work_repo.publish({"a": "1"})
        work_repo.tag("v1.0")
        for call in (mirror.probe, mirror.fetch):
            with pytest.raises(GitPersonError, match="'main'") as caught:
                call(url_of(work_repo), parse_ref("mian"), None)
            assert caught.value.reason is GitReason.REF_MISSING
        with pytest.raises(GitPersonError, match=r"write 'tag:v1\.0'"):
            mirror.probe(url_of(work_repo), parse_ref("v1.0"), None)


class TestSharing:
    @pytest.mark.rule("content.private-directory")
    def test_the_directory_is_private(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(url_of(work_repo), MAIN, None)
        assert mirror.directory.stat().st_mode & 0o777 == 0o700

    def test_a_mirror_in_use_is_busy_for_another(
        self, work_repo: WorkRepo, mirror: Mirror, git_client: GitClient
    ) -> None:
        commit = work_repo.publish({"a": "1"})
        other = Mirror(mirror.directory, git_client)
        with mirror.hold():
            mirror.fetch(url_of(work_repo), MAIN, None)
            with pytest.raises(GitTransientError) as caught:
                other.fetch(url_of(work_repo), MAIN, None)
            assert caught.value.reason is GitReason.BUSY
        assert other.fetch(url_of(work_repo), MAIN, None) == commit

    def test_a_killed_process_leaves_no_git_behind_and_the_mirror_free(
        self, tmp_path: Path, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        commit = work_repo.publish({"a": "1"})
        pidfile = tmp_path / "pid"
        # The process is killed while git runs; git is one that never ends by itself.
        program = f"""
import sys, threading, pathlib
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror, _try_lock
client = GitClient(GitSettings(home=pathlib.Path({str(tmp_path / "home")!r})))
mirror = Mirror(pathlib.Path({str(mirror.directory)!r}), client)
with mirror.hold():
    client.run(["-c", "alias.wait=!echo $$ > {pidfile}; exec sleep 300", "wait"], inherit=mirror._inherit)
"""
        process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
        wait_until(lambda: pidfile.exists() and pidfile.read_text().strip(), "git runs")
        with pytest.raises(GitTransientError):
            mirror.fetch(url_of(work_repo), MAIN, None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pidfile.read_text()), signal.SIGKILL)

    def test_a_discarded_mirror_is_gone(self, work_repo: WorkRepo, mirror: Mirror) -> None:
        work_repo.publish({"a": "1"})
        mirror.fetch(url_of(work_repo), MAIN, None)
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
        assert mirror.fetch(url_of(work_repo), MAIN, None) == commit
        peak = max(peak, disk_bytes(mirror))
    assert peak < (housekeeping.MAX_PACKS + 3) * 2 * size
    assert len(contents(mirror, commit)) == 2
    # What is left of old commits' shallow marks does not grow either.
    assert len((mirror.git_directory / "shallow").read_text().split()) <= 2 * housekeeping.MAX_SHALLOW_MARKS


def test_a_mirror_discarded_while_another_waits_is_locked_again(
    work_repo: WorkRepo, mirror: Mirror, git_client: GitClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has opened the lock that is then removed, and gets it afterwards: it must not take that for the lock."""
    commit = work_repo.publish({"a": "1"})
    other = Mirror(mirror.directory, git_client)
    is_waiting, is_discarded = threading.Event(), threading.Event()
    lock, found = fcntl.flock, []

    def wait() -> None:
        with other.hold():
            is_kept = _try_lock(mirror.directory / "lock") is None
            found.append((is_kept, other.fetch(url_of(work_repo), MAIN, None)))

    waiting = threading.Thread(target=wait)

    def held_up(descriptor: int, operation: int) -> None:
        if threading.current_thread() is waiting and not is_waiting.is_set():
            is_waiting.set()
            is_discarded.wait(600)
        lock(descriptor, operation)

    with mirror.hold():
        monkeypatch.setattr(fcntl, "flock", held_up)
        waiting.start()
        assert is_waiting.wait(600)
        mirror.discard()
    is_discarded.set()
    waiting.join(600)
    assert found == [(True, commit)]
