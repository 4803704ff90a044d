"""Ranges of versions and single commits, asked of real servers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import SshCredential
from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import Ref, RefKind, parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from gitsync.sync.poll import poll
from tests.integration.conftest import Sync, yaml_dag
from tests.support.mirrors import PROTOCOLS, url_of
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer


@pytest.fixture
def git_client(tmp_path: Path) -> GitClient:
    return GitClient(
        GitSettings(
            home=tmp_path / "home", allow_protocols=PROTOCOLS, allow_private_hosts=frozenset({"127.0.0.1"})
        )
    )


@pytest.fixture
def url(work_repo: WorkRepo) -> RemoteUrl:
    return url_of(work_repo)


class TestRanges:
    def test_the_highest_release_is_followed_as_tags_come_move_and_go(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        ref = parse_ref("semver:^1.2")
        commits: dict[str, str] = {}
        for version in ("v1.1.0", "v1.2.0", "1.10.0", "v1.9.0", "v2.0.0", "v1.11.0-rc.1", "nightly"):
            commits[version] = work_repo.publish({"version": version})
            work_repo.tag(version, annotated=version == "1.10.0")

        def is_at(commit: str, tag: str) -> None:
            assert mirror.probe(url, ref, None) == commit == mirror.fetch(url, ref, None)
            assert mirror.resolve(url, ref, None).ref == Ref(RefKind.TAG, tag)

        is_at(commits["1.10.0"], "1.10.0")
        newest = work_repo.publish({"version": "new"})
        is_at(commits["1.10.0"], "1.10.0")
        work_repo.tag("v1.10.1")
        is_at(newest, "v1.10.1")
        work_repo.tag("v1.10.1", annotated=True, at=commits["v2.0.0"])
        is_at(commits["v2.0.0"], "v1.10.1")
        work_repo.push(":refs/tags/v1.10.1", ":refs/tags/1.10.0")
        is_at(commits["v1.9.0"], "v1.9.0")

    @pytest.mark.parametrize(
        ("tags", "wanted", "match"),
        [
            ([], "^1", r"it has no tags"),
            (["nightly", "v1.2"], "^1", r"none of its 2 tags is a version like 'v1\.2\.3'"),
            (["v0.9.0", "v0.10.0"], "^1", r"highest releases are 'v0\.10\.0', 'v0\.9\.0'"),
            (["v2.0.0-rc.2", "v2.0.0-rc.1"], "^2", r"'v2\.0\.0-rc\.2', .* such as '>=2\.0\.0-0'"),
        ],
    )
    def test_a_range_without_a_match_is_reported_with_existing_tags(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl, tags: list[str], wanted: str, match: str
    ) -> None:
        work_repo.publish({"a": "1"})
        for tag in tags:
            work_repo.tag(tag)
        for call in (mirror.probe, mirror.fetch):
            with pytest.raises(GitPersonError, match=match) as caught:
                call(url, parse_ref(f"semver:{wanted}"), None)
            assert caught.value.reason is GitReason.REF_MISSING
            assert "dags.git" in str(caught.value)

    def test_ten_thousand_tags_are_no_trouble(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        commit = work_repo.publish({"a": "1"})
        # All annotated: each is two lines of the server's answer.
        stream = b"".join(
            b"tag release-train/of/the/platform-%d\nfrom %s\ntagger A <a@b> 1700000000 +0000\ndata 1\nx\n"
            % (n, commit.encode())
            if n % 2
            else b"tag v%d.%d.0\nfrom %s\ntagger A <a@b> 1700000000 +0000\ndata 1\nx\n"
            % (n % 7, n, commit.encode())
            for n in range(10_000)
        )
        work_repo.git("--git-dir", str(work_repo.bare), "fast-import", "--quiet", stdin=stream)
        work_repo.git("--git-dir", str(work_repo.bare), "pack-refs", "--all")
        resolved = mirror.resolve(url, parse_ref("semver:3.x"), None)
        assert resolved.ref.name == f"v3.{max(n for n in range(0, 10_000, 2) if n % 7 == 3)}.0"
        assert resolved.commit == commit == mirror.fetch(url, parse_ref("semver:3.x"), None)


class TestCommits:
    def test_exactly_that_commit_is_taken_wherever_branches_go(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        first = work_repo.publish({"a": "1"})
        work_repo.publish({"a": "2"})
        ref = parse_ref(f"commit:{first.upper()}")
        assert mirror.fetch(url, ref, None) == first
        tree = mirror.tree(first)
        assert [content for _, content in tree.read(tree.entries)] == [b"1"]

    @pytest.mark.rule("failure.probe")
    def test_a_poll_of_a_fixed_commit_contacts_no_server(self, mirror: Mirror) -> None:
        nowhere = parse_url("file:///nowhere/at/all", allow_protocols=PROTOCOLS)
        assert mirror.probe(nowhere, parse_ref("commit:" + "a" * 40), None) == "a" * 40

    def test_a_commit_that_does_not_exist_is_missing(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        work_repo.publish({"a": "1"})
        with pytest.raises(GitPersonError, match=f"no commit {'1' * 40}") as caught:
            mirror.fetch(url, parse_ref("commit:" + "1" * 40), None)
        assert caught.value.reason is GitReason.REF_MISSING

    def test_the_id_of_something_else_is_refused(
        self, work_repo: WorkRepo, mirror: Mirror, url: RemoteUrl
    ) -> None:
        work_repo.publish({"a": "1"})
        work_repo.tag("v1", annotated=True)
        for what, name in (("tag", "v1"), ("blob", "HEAD:a"), ("tree", "HEAD^{tree}")):
            with pytest.raises(GitPersonError, match=f"points to a {what}") as caught:
                mirror.fetch(url, parse_ref("commit:" + work_repo.git("rev-parse", name)), None)
            assert caught.value.reason is GitReason.NOT_A_COMMIT

    def test_a_server_that_serves_only_refs_gives_commits_that_one_points_to(
        self, work_repo: WorkRepo, mirror: Mirror, ssh_server: SshServer
    ) -> None:
        """Protocol version 0, as behind an sshd that passes no variables on."""
        credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
        url = parse_url(ssh_server.url(work_repo.bare))
        first = work_repo.publish({"a": "1"})
        second = work_repo.publish({"a": "2"})
        assert mirror.fetch(url, parse_ref(f"commit:{second}"), credential) == second
        with pytest.raises(GitPersonError, match=r"tag:NAME.*allowReachableSHA1InWant") as caught:
            mirror.fetch(url, parse_ref(f"commit:{first}"), credential)
        assert caught.value.reason is GitReason.COMMIT_NOT_SERVED
        work_repo.git(
            "--git-dir", str(work_repo.bare), "config", "uploadpack.allowReachableSHA1InWant", "true"
        )
        assert mirror.fetch(url, parse_ref(f"commit:{first}"), credential) == first


class TestSyncs:
    def test_a_range_and_a_commit_sync_and_a_new_release_is_noticed(
        self, work_repo: WorkRepo, repository: Repository, sync: Sync
    ) -> None:
        first = work_repo.publish({"dags/a.yaml": yaml_dag("a")})
        work_repo.tag("v1.0.0", annotated=True)
        Repository.objects.update(ref="semver:^1", subpath="dags", interval_ms=1000)

        def is_new() -> bool:
            time.sleep(0.15)  # polls may share a response that is younger than a tenth of the interval
            return poll(repository.pk)

        report = sync()
        assert (report.reason, report.to_commit, report.created) == ("", first, ("team/dags/a.yaml",))
        assert not is_new()
        second = work_repo.publish({"dags/b.yaml": yaml_dag("b")})
        assert not is_new()
        work_repo.tag("v1.1.0")
        assert is_new()
        assert sync().created == ("team/dags/b.yaml",)
        Repository.objects.update(ref=f"commit:{first}")
        report = sync()
        assert (report.reason, report.pruned) == ("", ("team/dags/b.yaml",))
        # Its outcome is known: a poll contacts no server, so it succeeds without one.
        work_repo.bare.rename(work_repo.bare.with_name("gone.git"))
        assert not is_new()
        assert Repository.objects.get().state == "in_sync"
        assert second != first

    @pytest.mark.rule("failure.absence")
    def test_a_range_in_which_nothing_is_left_prunes_nothing(
        self, work_repo: WorkRepo, repository: Repository, sync: Sync
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        work_repo.tag("v1.0.0")
        Repository.objects.update(ref="semver:^1")
        sync()
        work_repo.push(":refs/tags/v1.0.0")
        report = sync()
        assert (report.reason, report.pruned) == ("ref_missing", ())
        work_repo.tag("v1.0.1")
        assert sync().reason == ""

    def test_a_bad_pattern_is_reported_and_the_root_ignore_file_applies(
        self, work_repo: WorkRepo, repository: Repository, sync: Sync
    ) -> None:
        work_repo.publish(
            {".kiokignore": "b.yaml\n", "dags/a.yaml": yaml_dag("a"), "dags/b.yaml": yaml_dag("b")}
        )
        Repository.objects.update(subpath="dags", include="*.py\n!\n")
        assert sync().reason == "include_invalid"
        Repository.objects.update(include="")
        report = sync()
        assert (report.reason, report.created) == ("", ("team/dags/a.yaml",))
