"""Missing refs: messages for repositories with very many refs, and for servers that do not speak git."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gitsync.git import advertisement, remote_refs
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import HttpCredential, SshCredential
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import parse_scope
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from gitsync.repositories.connection_test import check
from tests.integration.conftest import yaml_dag
from tests.support.mirrors import PROTOCOLS, url_of
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

MAIN = parse_ref("main")
MANY = 20_000


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


def _with_branches(work_repo: WorkRepo, count: int, prefix: str = "team/feature") -> str:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    lines = [f"{commit} refs/heads/{prefix}-{number:06}\n" for number in range(count)]
    packed = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(sorted(lines))
    (work_repo.bare / "packed-refs").write_text(packed)
    return commit


def _absent(mirror: Mirror, url: RemoteUrl, ref: str) -> GitError:
    with pytest.raises(GitError) as caught:
        mirror.probe(url, parse_ref(ref), None)
    return caught.value


class TestManyRefs:
    @pytest.mark.parametrize(
        ("ref", "message"),
        [
            ("team/feature-01234", f"It has {MANY + 1} branches. Similar are 'team/feature-0"),
            ("Main", f"It has {MANY + 1} branches. Similar are 'main'"),
            ("origin/main", f"It has {MANY + 1} branches. Similar are 'main'"),
            ("tag:main", "There is refs/heads/main: write 'main'"),
            ("tag:v1", "It has no tags"),
        ],
    )
    def test_a_missing_branch_among_20000_is_reported_with_the_nearest_name(
        self, work_repo: WorkRepo, mirror: Mirror, ref: str, message: str
    ) -> None:
        _with_branches(work_repo, MANY)
        error = _absent(mirror, url_of(work_repo), ref)
        assert error.reason is GitReason.REF_MISSING
        assert message in str(error).replace("Similar is ", "Similar are "), str(error)

    def test_beyond_the_limit_of_refs_only_known_facts_are_reported(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        """The listing is of about 20 MB; 16 MiB of it are read."""
        _with_branches(work_repo, 80_000, "long-" * 38)
        error = _absent(mirror, url_of(work_repo), "nosuch")
        assert error.reason is GitReason.REF_MISSING
        assert "It has more than 6" in str(error), str(error)[:300]
        assert "no branches" not in str(error)
        error = _absent(mirror, url_of(work_repo), "tag:v1")
        assert "more refs than the" in str(error), str(error)[:300]
        assert "no tags" not in str(error)

    @pytest.mark.django_db(transaction=True)
    def test_testing_the_connection_finds_a_ref_beyond_those_that_are_read(
        self, work_repo: WorkRepo, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = _with_branches(work_repo, 3000)
        monkeypatch.setattr(remote_refs, "MAX_BYTES", 10_000)
        Repository.objects.update(ref="team/feature-002999")
        found = check(Repository.objects.get())
        assert (found.reason, found.commit) == ("", commit)
        Repository.objects.update(ref="team/feature-00299")
        found = check(Repository.objects.get())
        assert found.reason == "ref_missing"
        assert "It has 3001 branches. Similar are 'team/feature-00" in found.message

    def test_a_repository_without_refs_is_reported_as_empty(
        self, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        error = _absent(mirror, url_of(work_repo), "main")
        assert error.reason is GitReason.REF_MISSING
        assert "It has no branches: the repository is empty" in str(error)


PAGES = {
    "in lines": b"<!doctype html>\n<title>Sign in</title>\n<script>alert(1)</script>\n",
    # Git reads lines, and takes what has none for an empty list of refs.
    "in one line": b"<!doctype html><title>Sign in</title>",
    "empty": b"",
}


class TestOtherAnswers:
    """A server that answers 200 with something that is not git."""

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("ref", ["main", "tag:v1", "semver:^1"])
    @pytest.mark.rule("failure.classified")
    def test_a_web_page_is_reported_as_such(
        self, https_server: HttpsServer, work_repo: WorkRepo, mirror: Mirror, page: str, ref: str
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.faults["dags.git"] = Fault.PAGE
        https_server.page = PAGES[page]
        url = parse_url(https_server.url("dags.git"))
        for call in (mirror.probe, mirror.fetch):
            with pytest.raises(GitError, match="web page") as caught:
                call(url, parse_ref(ref), None)
            assert caught.value.reason is GitReason.WEB_PAGE, str(caught.value)
            assert "alert" not in str(caught.value)

    @pytest.mark.rule("running.redaction")
    def test_reported_headers_do_not_show_the_credential(
        self, https_server: HttpsServer, work_repo: WorkRepo, mirror: Mirror, git_client: GitClient
    ) -> None:
        secret = "canary-of-the-page"
        https_server.accounts = {"ada": secret}
        https_server.faults["dags.git"] = Fault.PAGE
        url, credential = parse_url(https_server.url("dags.git")), HttpCredential("ada", secret)
        with pytest.raises(GitError, match="web page") as caught:
            mirror.probe(url, MAIN, credential)
        basic = base64.b64encode(f"ada:{secret}".encode()).decode()
        traced = git_client.ask(url, credential, "HEAD").stderr
        assert "<= Recv header" in traced
        for text in (str(caught.value), traced):
            assert secret not in text
            assert basic not in text

    @pytest.mark.parametrize(
        ("media", "message"), [("application/json", "'application/json'"), ("", "without a media type")]
    )
    def test_an_answer_that_is_not_git_is_reported(
        self, https_server: HttpsServer, work_repo: WorkRepo, mirror: Mirror, media: str, message: str
    ) -> None:
        https_server.faults["dags.git"] = Fault.PAGE
        https_server.page, https_server.media = b"{}", media
        error = _absent(mirror, parse_url(https_server.url("dags.git")), "main")
        assert (error.reason, message in str(error)) == (GitReason.NOT_GIT, True), str(error)

    def test_an_empty_repository_of_a_git_server_is_none_of_these(
        self, https_server: HttpsServer, work_repo: WorkRepo, mirror: Mirror
    ) -> None:
        error = _absent(mirror, parse_url(https_server.url("dags.git")), "main")
        assert (error.reason, "is empty" in str(error)) == (GitReason.REF_MISSING, True), str(error)

    @pytest.mark.django_db(transaction=True)
    def test_the_connection_test_reports_it_too(
        self, https_server: HttpsServer, repository: Repository, trusting: None
    ) -> None:
        https_server.faults["dags.git"] = Fault.PAGE
        Repository.objects.update(url=https_server.url("dags.git"))
        for page in PAGES.values():
            https_server.page = page
            found = check(Repository.objects.get())
            assert (found.reason, "web page" in found.message) == ("web_page", True), found.message


@pytest.mark.parametrize("what", ["main:dags/a.yaml", "main:dags", "main^{tree}", "main"])
@pytest.mark.parametrize("subpath", ["", "dags"])
@pytest.mark.parametrize("way", ["https", "ssh", "file"])
@pytest.mark.rule("failure.classified")
def test_objects_missing_at_the_server_are_reported(
    way: str,
    subpath: str,
    what: str,
    https_server: HttpsServer,
    ssh_server: SshServer,
    work_repo: WorkRepo,
    mirror: Mirror,
) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a"), "b.txt": "b"})
    work_repo.git("--git-dir", str(work_repo.bare), "config", "uploadpack.allowFilter", "true")
    lost = work_repo.git("rev-parse", what)
    (work_repo.bare / "objects" / lost[:2] / lost[2:]).unlink()
    url = {
        "https": parse_url(https_server.url("dags.git")),
        "ssh": parse_url(ssh_server.url(work_repo.bare)),
        "file": url_of(work_repo),
    }[way]
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts) if way == "ssh" else None
    with pytest.raises(GitError) as caught:
        mirror.fetch(url, MAIN, credential, parse_scope(subpath, ""))
    assert caught.value.reason is GitReason.REPOSITORY_DAMAGED, str(caught.value)
    assert lost in str(caught.value)
    assert "git fsck" in str(caught.value)


def test_a_commit_that_the_server_lacks_is_damage_not_a_missing_commit(
    work_repo: WorkRepo, mirror: Mirror
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    (work_repo.bare / "objects" / commit[:2] / commit[2:]).unlink()
    with pytest.raises(GitError) as caught:
        mirror.fetch(url_of(work_repo), parse_ref(f"commit:{commit}"), None)
    assert caught.value.reason is GitReason.REPOSITORY_DAMAGED, str(caught.value)


def test_a_branch_that_moved_while_it_was_fetched_is_not_damage(
    work_repo: WorkRepo, git_client: GitClient
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    error = advertisement.not_sent(git_client, url_of(work_repo), MAIN, None, "1" * 40)
    assert (error.reason, error.transient) == (GitReason.UNKNOWN, True)
    assert "moved while it was fetched" in str(error)
