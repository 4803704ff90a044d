"""The connection test with real servers."""

from __future__ import annotations

import pytest

from gitsync.models import Repository
from gitsync.repositories.connection_test import SHOWN_REFS, RemoteCheck, check
from gitsync.sync import remote
from kiok.connections.models import Connection
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


# Results.


def test_branches_tags_and_the_default_branch_are_named_and_counted(
    work_repo: WorkRepo, repository: Repository
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1", annotated=True)
    for number in range(SHOWN_REFS + 5):
        work_repo.git("update-ref", f"refs/heads/b{number:02}", "HEAD")
    work_repo.push("refs/heads/*:refs/heads/*")

    found = check(repository)

    assert found.reason == ""
    assert found.message == f"The server answers and has branch 'main' at {commit[:10]}."
    assert (found.n_branches, found.n_tags, found.default_branch) == (SHOWN_REFS + 6, 1, "main")
    assert found.branches == ("main", *(f"b{number:02}" for number in range(SHOWN_REFS - 1)))
    assert (found.tags, found.commit) == (("v1",), commit)
    assert found.config == repository.config_hash
    assert 0 < found.seconds < 60
    assert RemoteCheck.from_json(found.to_json()) == found

    Repository.objects.update(ref="tag:v1")
    assert check(Repository.objects.get()).message == f"The server answers and has tag 'v1' at {commit[:10]}."


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("mian", "no branch 'mian'; did you mean 'main'?"),
        ("quite-different", "no branch 'quite-different'; its default branch is 'main'"),
        ("v1.0", "no branch 'v1.0', only a tag of that name: write tag:v1.0"),
        ("tag:main", "no tag 'main', only a branch of that name: write main"),
        ("tag:v1.1", "no tag 'v1.1'; did you mean 'v1.0'?"),
    ],
)
def test_a_missing_ref_is_reported_with_similar_refs(
    work_repo: WorkRepo, repository: Repository, ref: str, message: str
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1.0")
    Repository.objects.update(ref=ref)
    found = check(Repository.objects.get())
    assert (found.reason, found.commit) == ("ref_missing", "")
    assert message in found.message
    assert (found.branches, found.tags) == (("main",), ("v1.0",))


def test_ranges_and_commits_are_checked_too(work_repo: WorkRepo, repository: Repository) -> None:
    def found(ref: str) -> tuple[str, str, str]:
        Repository.objects.update(ref=ref)
        answer = check(Repository.objects.get())
        return answer.reason, answer.commit, answer.message

    first = work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1.2.0", annotated=True)
    second = work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    work_repo.tag("v2.0.0")
    last = work_repo.publish({"a.yaml": yaml_dag("a", "echo 3")})

    assert found("semver:^1")[:2] == ("", first)
    assert "'v1.2.0'" in found("semver:^1")[2]
    assert found("semver:>=1")[:2] == ("", second)
    assert found("semver:^3")[:2] == ("ref_missing", "")
    assert "no tag is in the range '^3': its highest versions are 'v2.0.0', 'v1.2.0'" in found("semver:^3")[2]
    assert found(f"commit:{last}") == (
        "",
        last,
        f"The server answers. Commit {last[:10]} is the current commit of branch 'main'.",
    )
    assert "the next sync shows" in found(f"commit:{'0' * 40}")[2]


def test_an_empty_repository_is_reported_as_empty(repository: Repository) -> None:
    found = check(repository)
    assert found.reason == "ref_missing"
    assert "is empty" in found.message


def test_the_subpath_is_reported_as_the_last_sync_saw_it(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    def subpath() -> tuple[str, bool | None, str]:
        found = check(Repository.objects.get())
        return found.reason, found.subpath_found, found.subpath_message

    commit = work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    assert subpath()[1:] == (True, "The whole repository is synced.")
    Repository.objects.update(subpath="dags")
    assert subpath() == ("", None, "The next sync checks whether the folder 'dags' exists.")
    sync()
    assert subpath() == ("", True, "The last sync found 'dags' in this commit.")
    work_repo.publish({"dags/b.yaml": yaml_dag("b")})
    assert subpath() == ("", None, f"'dags' existed at commit {commit[:10]}; the next sync checks it again.")
    Repository.objects.update(subpath="gads")
    sync()
    assert subpath() == ("subpath_missing", False, "The last sync found no folder 'gads' in this commit.")


def test_a_test_changes_nothing_of_the_repository(work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    before = Repository.objects.values().get()
    check(repository)
    assert Repository.objects.values().get() == before
    assert not remote.mirror_of(repository.pk).directory.exists()


# Why there is no answer.


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"url": "gopher://x/y"}, "url_invalid"),
        ({"url": "https://github.com/acme/dags/tree/main/dags"}, "url_invalid"),
        ({"url": "https://10.1.2.3/x.git"}, "host_not_allowed"),
        ({"url": "http://127.0.0.1/x.git"}, "protocol_not_allowed"),
        ({"url": "https://127.0.0.1:9/x.git"}, "network"),
        ({"url": "ssh://git@127.0.0.1:9/x.git"}, "credential_invalid"),
        ({"url": "file:///nowhere/at/all.git"}, "repository_not_found"),
        ({"ref": "a..b"}, "ref_invalid"),
        ({"subpath": "../up"}, "subpath_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_is_wrong_is_the_answers_reason(
    repository: Repository, values: dict[str, str], reason: str
) -> None:
    Repository.objects.update(**values)
    found = check(Repository.objects.get())
    assert found.reason == reason
    assert len(found.message) > 20
    assert not found.acceptable


def test_refused_credentials_are_reported_without_their_secrets(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"robot": "hunter2secret"}
    row = Connection(id="robot", type="git")
    row.set_properties({"username": "robot", "password": "hunter2secret"})
    Repository.objects.update(url=https_server.url("dags.git"), credential=row)
    assert check(Repository.objects.get()).branches == ("main",)

    row.set_properties({"username": "robot", "password": "wrong-secret"})
    found = check(Repository.objects.get())
    assert found.reason == "authentication_failed"
    assert "secret" not in str(found.to_json())

    row.set_properties({"username": "robot"})
    found = check(Repository.objects.get())
    assert (found.reason, found.host) == ("credential", "")
    assert "neither 'password' nor 'token'" in found.message


def test_a_hanging_server_times_out_after_the_time_limit_of_git(
    repository: Repository, https_server: HttpsServer, trusting: None, configure: Configure
) -> None:
    configure(gitsync_git_timeout_ms=1000)
    https_server.delay_seconds = 3600
    Repository.objects.update(url=https_server.url("dags.git"))
    found = check(Repository.objects.get())
    assert found.reason == "timeout"
