"""Repositories in git's SHA-256 object format are fetched, read and synced like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import SshCredential
from gitsync.git.errors import GitError, GitReason
from gitsync.git.housekeeping import object_format
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import FetchScope, parse_scope
from gitsync.git.signature import TrustedKeys
from gitsync.git.signer import SignatureKind
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from gitsync.repositories.connection_test import check
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.mirrors import PROTOCOLS, url_of
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer
from tests.support.signing import SshKey, signed_commit, signed_tag
from tests.support.verification import Verification

MAIN = parse_ref("main")
DAGS = parse_scope("dags", "*.py")


@pytest.fixture
def work_repo(tmp_path: Path) -> WorkRepo:
    return WorkRepo(tmp_path / "served", object_format="sha256")


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


def _contents(mirror: Mirror, commit: str, scope: FetchScope) -> dict[str, bytes]:
    tree = mirror.tree(commit, scope)
    return {entry.path: content for entry, content in tree.read(tree.entries)}


@pytest.mark.parametrize("scope", [FetchScope(), DAGS], ids=["whole", "part"])
@pytest.mark.parametrize("way", ["https", "ssh", "file"])
def test_a_repository_is_fetched_and_its_next_commit_too(
    way: str,
    scope: FetchScope,
    https_server: HttpsServer,
    ssh_server: SshServer,
    work_repo: WorkRepo,
    mirror: Mirror,
) -> None:
    work_repo.git("--git-dir", str(work_repo.bare), "config", "uploadpack.allowFilter", "true")
    first = work_repo.publish({"dags/a.yaml": "1", "lib/b.py": "b", "c.bin": b"\0" * 5000})
    url = {
        "https": parse_url(https_server.url("dags.git")),
        "ssh": parse_url(ssh_server.url(work_repo.bare)),
        "file": url_of(work_repo),
    }[way]
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts) if way == "ssh" else None
    assert len(first) == 64
    assert mirror.probe(url, MAIN, credential) == first
    assert mirror.fetch(url, MAIN, credential, scope) == first
    assert object_format(mirror.git_directory) == "sha256"
    wanted = {"dags/a.yaml": b"1", "lib/b.py": b"b", **({"c.bin": b"\0" * 5000} if scope.is_whole else {})}
    assert _contents(mirror, first, scope) == wanted
    second = work_repo.rewrite({"dags/a.yaml": "2", "lib/b.py": "b"})
    made = mirror.git_directory.stat().st_ino
    assert mirror.fetch(url, MAIN, credential, scope) == second
    assert _contents(mirror, second, scope) == {"dags/a.yaml": b"2", "lib/b.py": b"b"}
    assert mirror.git_directory.stat().st_ino == made, "the mirror is kept"


def test_tags_ranges_and_commits_are_followed(work_repo: WorkRepo, mirror: Mirror) -> None:
    url = url_of(work_repo)
    first = work_repo.publish({"a": "1"})
    work_repo.tag("v1.0.0", annotated=True)
    second = work_repo.publish({"a": "2"})
    for ref, commit in (
        ("tag:v1.0.0", first),
        ("semver:^1", first),
        (f"commit:{first}", first),
        (f"commit:{second}", second),
    ):
        assert mirror.probe(url, parse_ref(ref), None) == commit
        assert mirror.fetch(url, parse_ref(ref), None) == commit
    mirror.discard()
    assert mirror.fetch(url, parse_ref(f"commit:{first}"), None) == first


def test_a_repository_that_changes_its_format_is_followed(
    tmp_path: Path, work_repo: WorkRepo, mirror: Mirror
) -> None:
    url: RemoteUrl = url_of(work_repo)
    for number, form in enumerate(("sha256", "sha1", "sha256")):
        if number:
            for path in (work_repo.bare, work_repo.work):
                path.rename(tmp_path / f"old-{number}-{path.name}")
            work_repo = WorkRepo(work_repo.bare.parent, object_format=form)
        commit = work_repo.publish({"a.yaml": form})
        assert mirror.fetch(url, MAIN, None) == commit
        assert object_format(mirror.git_directory) == form
        assert _contents(mirror, commit, FetchScope()) == {"a.yaml": form.encode()}


@pytest.mark.parametrize(("form", "other", "digits"), [("sha256", "SHA-256", 64), ("sha1", "SHA-1", 40)])
def test_a_commit_in_the_other_object_format_is_reported(
    tmp_path: Path, mirror: Mirror, form: str, other: str, digits: int
) -> None:
    work = WorkRepo(tmp_path / "more", object_format=form)
    work.publish({"a": "1"})
    wanted = "1" * (104 - digits)
    with pytest.raises(GitError, match=f"git's {other} format.* have {digits} digits") as caught:
        mirror.fetch(url_of(work), parse_ref(f"commit:{wanted}"), None)
    assert caught.value.reason is GitReason.REF_MISSING


def test_signatures_are_verified(
    work_repo: WorkRepo, verification: Verification, ssh_ada: SshKey, ssh_eve: SshKey
) -> None:
    keys = TrustedKeys("", ssh_ada.signer("ada"))
    work_repo.publish({"a": "0"})
    unsigned = verification.refusal(lambda: verification.commit(keys), GitReason.SIGNATURE_MISSING)
    assert "is not signed" in unsigned
    signed_commit(work_repo, ssh_ada.options())
    assert verification.commit(keys).kind is SignatureKind.SSH
    signed_commit(work_repo, ssh_eve.options())
    assert ssh_eve.fingerprint in verification.refusal(lambda: verification.commit(keys))
    signed_tag(work_repo, ssh_ada.options(), "v1")
    assert verification.tag(keys).kind is SignatureKind.SSH


@pytest.mark.django_db(transaction=True)
def test_its_dags_are_registered_and_the_connection_tests_well(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    commit = work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    Repository.objects.update(subpath="dags")
    report = sync()
    assert (report.reason, report.created, report.to_commit) == ("", ("team/dags/a.yaml",), commit)
    assert Dag.objects.get().commit_sha == commit
    found = check(Repository.objects.get())
    assert (found.reason, found.commit) == ("", commit)
    work_repo.publish({"dags/a.yaml": yaml_dag("a", "echo 2")})
    assert sync().updated == ("team/dags/a.yaml",)
