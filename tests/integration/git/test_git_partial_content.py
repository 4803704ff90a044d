"""A fetch of a part of a commit: the content, links and folders, with and without filters of the server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compilers.discovery import discover
from compilers.links import Links
from gitsync.git import housekeeping
from gitsync.git.client import GitClient
from gitsync.git.commit_fetch import HEAD_REF
from gitsync.git.credentials import SshCredential
from gitsync.git.errors import GitError
from gitsync.git.mirror import Mirror
from gitsync.git.scope import WHOLE, FetchScope, parse_scope
from gitsync.git.tree import PathKind
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.mirrors import contents
from tests.support.partial_fetch import FILES, MAIN, SCOPE, WANTED, allow, blobs_there, expected, https_client
from tests.support.servers.byte_counter import ByteCounter
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer


@pytest.fixture
def git_client(tmp_path: Path, https_server: HttpsServer) -> GitClient:
    return https_client(tmp_path / "home", https_server)


@pytest.fixture
def url(https_server: HttpsServer, work_repo: WorkRepo) -> RemoteUrl:
    """The repository on a server that leaves files out when asked to."""
    allow(work_repo, "uploadpack.allowFilter")
    return parse_url(https_server.url("dags.git"))


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

    def test_a_server_without_single_objects_sends_the_whole_commit(
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
        assert before.exists(), "from then on only new objects are requested"
        assert contents(mirror, commit, SCOPE)["team/dags/a.yaml"] == b"2"
        allow(work_repo, "uploadpack.allowAnySHA1InWant")
        mirror.discard()
        assert mirror.fetch(url, MAIN, credential, SCOPE) == commit
        assert blobs_there(mirror, commit) == WANTED


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


def test_a_link_in_place_of_a_parent_folder_is_noticed(
    work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
) -> None:
    work_repo.write({"README": "x"})
    (work_repo.work / "team").symlink_to("group")
    work_repo.publish()
    tree = mirror.tree(mirror.fetch(url, MAIN, None, SCOPE), SCOPE)
    assert tree.kind_of("team") is PathKind.SYMLINK
    assert str(tree.read_link("team")) == "team -> group"


def test_content_that_is_elsewhere_is_recognised_without_reading_it(
    work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
) -> None:
    commit = work_repo.publish(FILES)
    blob = work_repo.git("rev-parse", f"{commit}:big/data.bin")
    mirror.fetch(url, MAIN, None, SCOPE)
    assert "big/data.bin" not in blobs_there(mirror, commit)
    assert mirror.tree(commit, SCOPE).find_blobs([blob, "0" * 40]) == {blob: ["big/data.bin"]}
