"""Only a part of a commit: what is asked of the server, what is there afterwards, and what is never guessed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compilers.discovery import discover
from compilers.links import Links
from gitsync.git import housekeeping
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.commit_fetch import HEAD_REF
from gitsync.git.credentials import SshCredential
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.listing import blob_sizes, read_listing
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, FetchScope, parse_scope
from gitsync.git.tree import PathKind, TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.mirrors import PROTOCOLS, contents
from tests.support.servers.byte_counter import ByteCounter
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

MAIN = parse_ref("main")
SCOPE = parse_scope("team/dags", "*.py")
FILES: dict[str, str | bytes] = {
    "team/dags/a.yaml": "dag: {id: a}\n",
    "team/dags/sub/b.yaml": "dag: {id: b}\n",
    "team/dags/data.bin": b"\x00\xff" * 50,
    "team/dags2/no.yaml": "not this one\n",
    "team/notes.txt": "nor this one\n",
    "shared.py": "X = 1\n",
    "lib/deep/helper.py": "Y = 2\n",
    "lib/deep/helper.txt": "unwanted\n",
    ".kiokignore": "sub/\n",
    "other/.kiokignore": "*\n",
    "big/data.bin": os.urandom(100_000),
}
WANTED = {
    "team/dags/a.yaml",
    "team/dags/sub/b.yaml",
    "team/dags/data.bin",
    "shared.py",
    "lib/deep/helper.py",
    ".kiokignore",
}


@pytest.fixture
def git_client(tmp_path: Path, https_server: HttpsServer) -> GitClient:
    return GitClient(
        GitSettings(
            home=tmp_path / "home",
            allow_protocols=PROTOCOLS,
            allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
            ssl_ca_info=str(https_server.ca_file),
        )
    )


@pytest.fixture
def url(https_server: HttpsServer, work_repo: WorkRepo) -> RemoteUrl:
    """The repository on a server that leaves files out when asked to."""
    allow(work_repo, "uploadpack.allowFilter")
    return parse_url(https_server.url("dags.git"))


@pytest.fixture
def asked(https_server: HttpsServer) -> Callable[[], int]:
    """How many requests for objects (or refs) were posted since the last call."""
    seen = 0

    def count() -> int:
        nonlocal seen
        posts = sum(method == "POST" for method, _, _ in https_server.requests)
        new, seen = posts - seen, posts
        return new

    return count


def allow(repo: WorkRepo, key: str, value: str = "true") -> None:
    repo.git("--git-dir", str(repo.bare), "config", key, value)


def expected(files: dict[str, str | bytes], wanted: set[str]) -> dict[str, bytes]:
    return {
        path: text if isinstance(text, bytes) else text.encode()
        for path, text in files.items()
        if path in wanted
    }


def blobs_there(mirror: Mirror, commit: str) -> set[str]:
    """Paths of the commit whose content the mirror holds."""
    listing = read_listing(mirror._client, mirror.git_directory, commit, scope=WHOLE, max_files=100_000)
    sizes = blob_sizes(mirror._client, mirror.git_directory, listing.blobs)
    return {entry.path for entry in listing.entries if entry.blob in sizes}


class TestWithFilters:
    def test_what_is_wanted_comes_in_two_requests_and_nothing_else_comes(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, asked: Callable[[], int]
    ) -> None:
        commit = work_repo.publish(FILES)
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        # ls-refs and the commit; then, in one request, every file.
        assert asked() == 3
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)
        assert blobs_there(mirror, commit) == WANTED
        assert asked() == 0

    def test_five_hundred_files_are_one_request_too(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, asked: Callable[[], int]
    ) -> None:
        files: dict[str, str | bytes] = {f"team/dags/{n}.yaml": f"n: {n}\n" for n in range(500)}
        commit = work_repo.publish({**FILES, **files})
        mirror.fetch(url, MAIN, None, SCOPE)
        assert asked() == 3
        assert len(contents(mirror, commit, SCOPE)) == 500 + len(WANTED)

    def test_later_only_what_is_new_comes(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, asked: Callable[[], int]
    ) -> None:
        work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        asked()
        outside = work_repo.publish({"big/data.bin": os.urandom(50_000)})
        assert mirror.fetch(url, MAIN, None, SCOPE) == outside
        assert asked() == 2, "no file that is wanted changed"
        assert "big/data.bin" not in blobs_there(mirror, outside)
        inside = work_repo.publish({"team/dags/a.yaml": "dag: {id: a2}\n"})
        assert mirror.fetch(url, MAIN, None, SCOPE) == inside
        assert asked() == 2, "a small file comes with its commit"
        assert contents(mirror, inside, SCOPE)["team/dags/a.yaml"] == b"dag: {id: a2}\n"
        large = work_repo.publish({"team/dags/data.bin": os.urandom(50_000)})
        assert mirror.fetch(url, MAIN, None, SCOPE) == large
        assert asked() == 3
        assert len(contents(mirror, large, SCOPE)["team/dags/data.bin"]) == 50_000
        work_repo.git("mv", "big/data.bin", "team/dags/moved.bin")
        moved = work_repo.publish()
        mirror.fetch(url, MAIN, None, SCOPE)
        assert len(contents(mirror, moved, SCOPE)["team/dags/moved.bin"]) == 50_000

    def test_a_small_change_to_a_file_that_is_not_there_does_no_harm(
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
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, asked: Callable[[], int]
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
            asked()
            decide = scope.decider()
            assert contents(mirror, commit, scope) == {
                path: content for path, content in everything.items() if decide(path)
            }
            assert asked() == 0

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


class TestSameEverywhere:
    @pytest.mark.parametrize(
        "setting",
        [
            "none",
            "uploadpack.allowFilter",
            "uploadpackfilter.blob:none.allow",
            "uploadpackfilter.blob:limit.allow",
        ],
    )
    def test_the_tree_is_the_same_whatever_the_server_supports(
        self, work_repo: WorkRepo, mirror: Mirror, https_server: HttpsServer, setting: str
    ) -> None:
        if setting != "none":
            allow(work_repo, "uploadpack.allowFilter")
        if setting.startswith("uploadpackfilter"):
            allow(work_repo, setting, "false")
        commit = work_repo.publish(FILES)
        url = parse_url(https_server.url("dags.git"))
        for number in range(3):
            assert mirror.fetch(url, MAIN, None, SCOPE) == commit
            tree = mirror.tree(commit, SCOPE)
            assert {entry.path for entry in tree.entries} == WANTED
            assert tree.kind_of("team/dags") is PathKind.FOLDER
            assert tree.kind_of("team") is PathKind.FOLDER
            assert tree.kind_of("team/dags/a.yaml") is PathKind.FILE
            assert tree.kind_of("team/notes.txt") is None
            # The `.kiokignore` at the root has its say.
            found = discover(tree, SCOPE.subpath)
            assert [source.path for source in found.sources] == ["team/dags/a.yaml"]
            FILES_NEXT = {"team/dags/data.bin": f"changed {number}"}
            commit = work_repo.publish(dict(FILES_NEXT))

    def test_a_server_that_stops_supporting_filters_is_followed(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        work_repo.publish({**FILES, "team/dags/long.yaml": "line\n" * 2000})
        mirror.fetch(url, MAIN, None, SCOPE)
        allow(work_repo, "uploadpack.allowFilter", "false")
        changed: dict[str, str | bytes] = {
            "team/dags/long.yaml": "line\n" * 2000 + "more\n",
            "big/data.bin": bytes(FILES["big/data.bin"]) + b"!",  # type: ignore[arg-type]
        }
        commit = work_repo.publish(changed)
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(
            {**FILES, **changed}, WANTED | {"team/dags/long.yaml"}
        )

    def test_a_server_that_hands_out_no_file_by_itself_gives_the_whole_commit(
        self,
        work_repo: WorkRepo,
        tmp_path: Path,
        git_client: GitClient,
        mirror: Mirror,
        ssh_server: SshServer,
    ) -> None:
        """Protocol version 0, as behind an sshd that passes no variables on: objects have to be advertised."""
        key = ssh_server.client_key()
        credential = SshCredential(key, ssh_server.known_hosts)
        allow(work_repo, "uploadpack.allowFilter")
        url = parse_url(ssh_server.url(work_repo.bare))
        commit = work_repo.publish(FILES)
        assert mirror.fetch(url, MAIN, credential, SCOPE) == commit
        assert contents(mirror, commit, SCOPE) == expected(FILES, WANTED)
        assert blobs_there(mirror, commit) == set(FILES), "this server could not leave anything out"
        (before,) = (mirror.git_directory / "objects/pack").glob("*.pack")
        commit = work_repo.publish({"team/dags/a.yaml": "2", "big/new": "3"})
        assert mirror.fetch(url, MAIN, credential, SCOPE) == commit
        assert before.exists(), "from then on it is asked for what is new only"
        assert contents(mirror, commit, SCOPE)["team/dags/a.yaml"] == b"2"
        allow(work_repo, "uploadpack.allowAnySHA1InWant")
        mirror.discard()
        assert mirror.fetch(url, MAIN, credential, SCOPE) == commit
        assert blobs_there(mirror, commit) == WANTED


class TestNeverAbsence:
    @pytest.mark.rule("failure.absence")
    def test_a_file_that_is_missing_is_an_error_and_git_does_not_fetch_it_by_itself(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, asked: Callable[[], int]
    ) -> None:
        commit = work_repo.publish(FILES)
        mirror.fetch(url, MAIN, None, SCOPE)
        asked()
        with pytest.raises(GitTransientError, match=r"missing") as caught:
            mirror.tree(commit, parse_scope("big", ""))
        assert caught.value.reason is GitReason.MIRROR_BROKEN
        assert asked() == 0
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

    def test_files_that_got_lost_since_they_were_listed_are_an_error_when_they_are_read(
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

    def test_a_fetch_of_the_files_that_fails_leaves_an_error_and_is_made_good(
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

    def test_limits_count_what_is_in_the_scope(
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


def test_disk_use_is_bounded_while_only_a_part_is_fetched(
    work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
) -> None:
    url = parse_url(work_repo.file_url, allow_protocols=frozenset({"file"}))
    size = 20_000
    for number in range(30):
        commit = work_repo.rewrite({"team/dags/a": os.urandom(size), "big/b": os.urandom(size)})
        assert mirror.fetch(url, MAIN, None, SCOPE) == commit
        packs = list((mirror.git_directory / "objects/pack").iterdir())
        assert sum(path.stat().st_size for path in packs) < 3 * size, number
    assert len((mirror.git_directory / "shallow").read_text().split()) <= 2 * housekeeping.MAX_SHALLOW_MARKS
    assert blobs_there(mirror, commit) == {"team/dags/a"}
    assert work_repo.git("--git-dir", str(mirror.git_directory), "rev-parse", HEAD_REF) == commit


@pytest.fixture
def counter(https_server: HttpsServer) -> Iterator[ByteCounter]:
    with ByteCounter(https_server.port) as counter:
        yield counter


def test_two_thousand_files_outside_the_folder_are_not_sent(
    work_repo: WorkRepo, git_client: GitClient, tmp_path: Path, url: RemoteUrl, counter: ByteCounter
) -> None:
    files: dict[str, str | bytes] = {f"outside/{n % 20}/{n}.bin": os.urandom(1000) for n in range(2000)}
    files |= {f"dags/{n}.yaml": f"dag: {{id: d{n}}}\n" for n in range(10)}
    work_repo.publish(files)
    counted = parse_url(f"https://localhost:{counter.port}/dags.git")
    received: dict[str, list[int]] = {}
    for name, scope in (("part", parse_scope("dags", "*.py")), ("whole", WHOLE)):
        mirror = Mirror(tmp_path / "mirrors" / name, git_client)
        received[name] = []
        for text in ("cold", f"changed for {name}"):
            if text != "cold":
                work_repo.publish({"dags/3.yaml": text})
            counter.received = 0
            commit = mirror.fetch(counted, MAIN, None, scope)
            received[name].append(counter.received)
        assert contents(mirror, commit, scope)["dags/3.yaml"] == f"changed for {name}".encode()
    # Names and ids of 2 000 files still come, once.
    assert received["part"][0] < received["whole"][0] / 10
    assert received["part"][1] < received["part"][0] / 5


@pytest.mark.rule("running.separator")
@pytest.mark.parametrize("scope", [SCOPE, WHOLE], ids=["a part", "the whole"])
def test_a_hostile_url_runs_nothing(scope: FetchScope, tmp_path: Path, mirror: Mirror) -> None:
    mark = tmp_path / "mark"

    class Evil(RemoteUrl):
        __slots__ = ()

        @property
        def fetch_url(self) -> str:
            return f"--upload-pack=touch {mark};"

    evil = Evil("file", "", None, None, "/x")
    with pytest.raises(GitError):
        mirror.probe(evil, MAIN, None)
    with pytest.raises(GitError):
        mirror.fetch(evil, MAIN, None, scope)
    assert not mark.exists()


@pytest.mark.parametrize("filtered", ["true", "false"])
def test_links_outside_the_folder_are_known_by_name_and_not_fetched(
    filtered: str, work_repo: WorkRepo, mirror: Mirror, https_server: HttpsServer
) -> None:
    allow(work_repo, "uploadpack.allowFilter", filtered)
    work_repo.write(FILES)
    for path in ("outside", "team/dags/inside", "shared_link.py"):
        (work_repo.work / path).symlink_to("target of " + path)
    commit = work_repo.publish()
    url = parse_url(https_server.url("dags.git"))
    tree = mirror.tree(mirror.fetch(url, MAIN, None, SCOPE), SCOPE)
    assert [(entry.path, entry.mode, entry.size) for entry in tree.links_outside] == [
        ("outside", "120000", 0)
    ]
    assert [entry.path for entry in tree.entries if not entry.is_file] == [
        "shared_link.py",
        "team/dags/inside",
    ]
    assert ("outside" in blobs_there(mirror, commit)) is (filtered == "false")
    links = Links(tree)
    assert [str(link) for link in links.read(links.entries.values())] == [
        "outside",
        "shared_link.py -> target of shared_link.py",
        "team/dags/inside -> target of team/dags/inside",
    ]


def test_what_is_in_the_place_of_a_folder_above_is_known(
    work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
) -> None:
    work_repo.write({"README": "x"})
    (work_repo.work / "team").symlink_to("group")
    work_repo.publish()
    tree = mirror.tree(mirror.fetch(url, MAIN, None, SCOPE), SCOPE)
    assert tree.kind_of("team") is PathKind.SYMLINK
    assert str(tree.read_link("team")) == "team -> group"


def test_where_the_content_of_a_file_is_elsewhere_is_known_without_its_content(
    work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
) -> None:
    commit = work_repo.publish(FILES)
    blob = work_repo.git("rev-parse", f"{commit}:big/data.bin")
    mirror.fetch(url, MAIN, None, SCOPE)
    assert "big/data.bin" not in blobs_there(mirror, commit)
    assert mirror.tree(commit, SCOPE).find_blobs([blob, "0" * 40]) == {blob: ["big/data.bin"]}
