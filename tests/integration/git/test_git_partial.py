"""A fetch of a part of a commit: the requests to the server, and failures that are no absence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitsync.git import housekeeping
from gitsync.git.client import GitClient
from gitsync.git.errors import GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.scope import WHOLE, parse_scope
from gitsync.git.tree import TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.mirrors import contents
from tests.support.partial_fetch import FILES, MAIN, SCOPE, WANTED, allow, blobs_there, expected, https_client
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo


@pytest.fixture
def git_client(tmp_path: Path, https_server: HttpsServer) -> GitClient:
    return https_client(tmp_path / "home", https_server)


@pytest.fixture
def url(https_server: HttpsServer, work_repo: WorkRepo) -> RemoteUrl:
    """The repository on a server that leaves files out when asked to."""
    allow(work_repo, "uploadpack.allowFilter")
    return parse_url(https_server.url("dags.git"))


@pytest.fixture
def new_requests(https_server: HttpsServer) -> Callable[[], int]:
    """Return the number of requests for objects (or refs) since the last call."""
    seen = 0

    def count() -> int:
        nonlocal seen
        posts = sum(method == "POST" for method, _, _ in https_server.requests)
        new, seen = posts - seen, posts
        return new

    return count


class TestWithFilters:
    def test_the_wanted_objects_are_fetched_in_two_requests_and_no_others(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, new_requests: Callable[[], int]
    ) -> None:
        commit = work_repo.publish(FILES)
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        # ls-refs and the commit; then, in one request, every file.
        assert new_requests() == 3
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)
        assert blobs_there(mirror, commit) == WANTED
        assert new_requests() == 0

    def test_five_hundred_files_are_one_request_too(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, new_requests: Callable[[], int]
    ) -> None:
        files: dict[str, str | bytes] = {f"team/dags/{n}.yaml": f"n: {n}\n" for n in range(500)}
        commit = work_repo.publish({**FILES, **files})
        mirror.fetch(url, MAIN, None, SCOPE)
        assert new_requests() == 3
        assert len(contents(mirror, commit, SCOPE)) == 500 + len(WANTED)

    def test_later_fetches_transfer_only_new_objects(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, new_requests: Callable[[], int]
    ) -> None:
        work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        new_requests()
        outside = work_repo.publish({"big/data.bin": os.urandom(50_000)})
        assert mirror.fetch(url, MAIN, None, SCOPE) == outside
        assert new_requests() == 2, "no file that is wanted changed"
        assert "big/data.bin" not in blobs_there(mirror, outside)
        inside = work_repo.publish({"team/dags/a.yaml": "dag: {id: a2}\n"})
        assert mirror.fetch(url, MAIN, None, SCOPE) == inside
        assert new_requests() == 2, "a small file comes with its commit"
        assert contents(mirror, inside, SCOPE)["team/dags/a.yaml"] == b"dag: {id: a2}\n"
        large = work_repo.publish({"team/dags/data.bin": os.urandom(50_000)})
        assert mirror.fetch(url, MAIN, None, SCOPE) == large
        assert new_requests() == 3
        assert len(contents(mirror, large, SCOPE)["team/dags/data.bin"]) == 50_000
        work_repo.git("mv", "big/data.bin", "team/dags/moved.bin")
        moved = work_repo.publish()
        mirror.fetch(url, MAIN, None, SCOPE)
        assert len(contents(mirror, moved, SCOPE)["team/dags/moved.bin"]) == 50_000

    def test_a_delta_to_a_file_that_is_not_in_the_mirror_is_handled(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        """The server may send the difference to what it takes for known."""
        lines = [f"{number} {os.urandom(20).hex()}\n" for number in range(150)]
        wanted: dict[str, str | bytes] = {
            "team/dags/kept.bin": os.urandom(50_000)
        }  # so that nothing is tidied
        work_repo.publish({**FILES, **wanted, "team/notes.txt": "".join(lines)})
        mirror.fetch(url, MAIN, None, SCOPE)
        pack = mirror.git_directory / "objects/pack"
        before = set(pack.glob("*.pack"))
        commit = work_repo.publish({"team/notes.txt": "".join([*lines, "one more\n"])})
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert before <= set(pack.glob("*.pack")), "the mirror was kept"
        assert contents(mirror, commit, SCOPE) == expected({**FILES, **wanted}, WANTED | set(wanted))

    def test_a_branch_set_back_and_rewritten_is_followed(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        first = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        for number in range(5):
            second = work_repo.publish({"team/dags/a.yaml": str(number), "big/x": str(number)})
            assert mirror.fetch(url, MAIN, None, SCOPE) == second
            assert contents(mirror, second, SCOPE)["team/dags/a.yaml"] == str(number).encode()
        work_repo.git("reset", "-q", "--hard", first)
        work_repo.push(force=True)
        assert mirror.fetch(url, MAIN, None, SCOPE) == first
        assert contents(mirror, first, SCOPE) == expected(FILES, WANTED)
        new = work_repo.rewrite({"team/dags/z.yaml": "z"})
        assert mirror.fetch(url, MAIN, None, SCOPE) == new
        assert contents(mirror, new, SCOPE) == {"team/dags/z.yaml": b"z"}

    def test_the_scope_can_change_while_the_mirror_is_kept(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, new_requests: Callable[[], int]
    ) -> None:
        commit = work_repo.publish(FILES)
        everything = expected(FILES, set(FILES))
        for scope in (
            SCOPE,
            parse_scope("team", ""),
            parse_scope("lib", "*.txt"),
            WHOLE,
            parse_scope("team/dags2", "/big/"),
            SCOPE,
        ):
            assert mirror.fetch(url, MAIN, None, scope) == commit
            new_requests()
            decide = scope.decider()
            assert contents(mirror, commit, scope) == {
                path: content for path, content in everything.items() if decide(path)
            }
            assert new_requests() == 0

    def test_neither_url_nor_credential_is_stored(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, https_server: HttpsServer
    ) -> None:
        https_server.accounts["ada"] = "canary-secret"
        from gitsync.git.credentials import HttpCredential

        for number in range(5):
            work_repo.publish({**FILES, "team/dags/a.yaml": str(number)})
            mirror.fetch(url, MAIN, HttpCredential("ada", "canary-secret"), SCOPE)
        assert (mirror.git_directory / "config").read_text() == housekeeping.MIRROR_CONFIG
        stored = b"\n".join(path.read_bytes() for path in mirror.directory.rglob("*") if path.is_file())
        for secret in (b"canary-secret", b"localhost", b"dags.git"):
            assert secret not in stored


class TestNeverAbsence:
    @pytest.mark.rule("failure.absence")
    def test_a_missing_file_is_an_error_and_git_does_not_fetch_it(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, new_requests: Callable[[], int]
    ) -> None:
        commit = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        new_requests()
        with pytest.raises(GitTransientError, match=r"missing") as caught:
            mirror.tree(commit, parse_scope("big", ""))
        assert caught.value.reason is GitReason.MIRROR_BROKEN
        assert new_requests() == 0
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)

    @pytest.mark.rule("content.broken-mirror")
    @pytest.mark.case("recovery.broken")
    def test_files_that_got_lost_are_fetched_again(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, git_client: GitClient
    ) -> None:
        commit = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        # The newer pack is that of the files.
        packs = sorted(
            (mirror.git_directory / "objects/pack").glob("*.idx"), key=lambda path: path.stat().st_mtime_ns
        )
        assert len(packs) == 2
        for path in packs[-1].parent.glob(f"{packs[-1].stem}.*"):
            path.unlink()
        with pytest.raises(GitTransientError, match="missing"):
            Mirror(mirror.directory, git_client).tree(commit, SCOPE)
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)

    def test_files_lost_since_listing_are_an_error_when_they_are_read(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        commit = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        for path in (mirror.git_directory / "objects/pack").iterdir():
            path.unlink()
        tree = mirror.tree(commit, SCOPE)
        with pytest.raises(GitTransientError) as caught:
            list(tree.read(tree.entries))
        assert caught.value.reason is GitReason.MIRROR_BROKEN
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)

    def test_a_missing_folder_is_fetched_again(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        commit = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        shutil.rmtree(mirror.git_directory / "objects/pack")
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)

    def test_a_failed_fetch_of_files_is_an_error_and_is_repeated(
        self,
        work_repo: WorkRepo,
        mirror: Mirror,
        url: RemoteUrl,
        https_server: HttpsServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from gitsync.git.transfer import Transfer

        commit = work_repo.publish(FILES)
        fetch_blobs = Transfer.fetch_blobs

        def failing(*arguments: Any) -> None:
            https_server.status = 503
            fetch_blobs(*arguments)

        monkeypatch.setattr(Transfer, "fetch_blobs", failing)
        with pytest.raises(GitTransientError) as caught:
            mirror.fetch(url, MAIN, None, SCOPE)
        assert caught.value.reason is GitReason.SERVER_ERROR
        with pytest.raises(GitTransientError, match="missing"):
            mirror.tree(commit, SCOPE)
        monkeypatch.undo()
        https_server.status = None
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)

    def test_an_oversized_file_in_the_scope_is_listed_apart(
        self, work_repo: WorkRepo, git_client: GitClient, tmp_path: Path, url: RemoteUrl
    ) -> None:
        work_repo.publish({**FILES, "team/dags/big.jar": os.urandom(5000)})
        mirror = Mirror(tmp_path / "mirrors" / "2", git_client, TreeLimits(max_file_bytes=1000))
        tree = mirror.tree(mirror.fetch(url, MAIN, None, SCOPE), SCOPE)
        assert [(entry.path, entry.size) for entry in tree.oversized] == [("team/dags/big.jar", 5000)]
        assert {entry.path for entry in tree.entries} == WANTED

    def test_limits_count_only_files_in_the_scope(
        self, work_repo: WorkRepo, git_client: GitClient, tmp_path: Path, url: RemoteUrl
    ) -> None:
        work_repo.publish(FILES)
        fitting = Mirror(
            tmp_path / "mirrors" / "2", git_client, TreeLimits(max_files=len(WANTED), max_tree_bytes=500)
        )
        commit = fitting.fetch(url, MAIN, None, SCOPE)
        assert len(fitting.tree(commit, SCOPE).entries) == len(WANTED)
        small = Mirror(tmp_path / "mirrors" / "3", git_client, TreeLimits(max_files=len(WANTED) - 1))
        assert small.fetch(url, MAIN, None, SCOPE) == commit
        with pytest.raises(GitPersonError, match=f"more than the {len(WANTED) - 1} files") as caught:
            small.tree(commit, SCOPE)
        assert caught.value.reason is GitReason.TREE_TOO_LARGE
