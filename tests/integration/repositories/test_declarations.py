"""Declared repositories of which one is invalid: it fails with a reason, and no other is affected."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import ManagedBy, Repository, SyncRun, Trigger
from gitsync.monitoring.doctor.workers import declaration
from gitsync.repositories.connection_test import check
from gitsync.repositories.declared import follow_declaration
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import jobs
from kiok.metadata.models import Dag
from kiok.server import properties
from tests.integration.conftest import yaml_dag
from tests.support.api_client import Api, make_token
from tests.support.connection_rows import make
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


class Declared:
    """A repositories file that this process or commands apply."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        self.file = file
        self._patch = patch

    def follow(self, text: str) -> list[str]:
        """Start again with this file, and return the names that changed."""
        self.file.write_text(text)
        loaded = properties.load({"KIOK_GITSYNC_REPOS_FILE": str(self.file)})
        given = replace(
            settings.KIOK,
            file_repositories=loaded.file_repositories,
            invalid_repositories=loaded.invalid_repositories,
            gitsync_repos_file=loaded.gitsync_repos_file,
            sources=loaded.sources,
        )
        self._patch.setattr(settings, "KIOK", given)
        return follow_declaration()

    def run(self, text: str, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
        """`manage.py gitsync --json` with this file: exit status, repositories by name, stderr."""
        self.file.write_text(text)
        done = gitsync(*arguments, "--json", KIOK_GITSYNC_REPOS_FILE=str(self.file))
        found = json.loads(done.stdout)["repositories"] if done.stdout else []
        return done.returncode, {item["name"]: item for item in found}, done.stderr


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Declared:
    return Declared(tmp_path / "repositories.yaml", monkeypatch)


def entry(name: str, url: str, *lines: str) -> str:
    return "".join([f"- name: {name}\n", f"  url: {url}\n", *(f"  {line}\n" for line in lines)])


WRONG_CONNECTIONS = {
    "credentialConnectionId: nosuch": "the connection 'nosuch' does not exist",
    "verifyConnectionId: nosuch": "the connection 'nosuch' does not exist",
    "webhookSecretConnectionId: nosuch": "the connection 'nosuch' does not exist",
    "credentialConnectionId: other": "The connection 'other' has neither 'password' nor 'token'",
    "verifyConnectionId: other": "The connection 'other' has neither 'openpgpKeys' nor 'allowedSigners'",
    "webhookSecretConnectionId: other": "The connection 'other' has no 'secret'",
}
INVALID = {
    'ref: "\\ud83d"': "key 'ref' holds the lone surrogate U+D83D",
    'subpath: "\\0"': "key 'subpath' holds a NUL character",
    "subpath: [dags]": "key 'subpath' is a list",
    "nosuch: x": "unknown key 'nosuch'",
    "intervalMs: 5": "intervalMs is 5",
    "verify: commit": "verifyConnectionId is missing",
    "imagePython: No Image": "imagePython 'No Image'",
    "owner: 'a '": "owner 'a ' is not an owner; allowed: 1 to 200 printable characters",
}


def followed(declared: Declared, url: str, line: str) -> Repository:
    """The repository `aaa` with this line in its entry, after it and `bbb`, which is good, were followed and synced."""
    text = entry("aaa", "https://git.example.com/a.git", line) + entry("bbb", url)
    assert set(declared.follow(text)) == {"aaa", "bbb"}
    good = Repository.objects.get(name="bbb")
    assert sync_repository(good.pk, SyncOptions(trigger=Trigger.COMMAND)).state == "in_sync"
    return Repository.objects.get(name="aaa")


@pytest.mark.parametrize(("line", "message"), WRONG_CONNECTIONS.items(), ids=WRONG_CONNECTIONS)
def test_a_wrong_connection_fails_its_repository_and_no_other(
    declared: Declared, work_repo: WorkRepo, line: str, message: str
) -> None:
    make("other", host="git.example.com")
    work_repo.publish({"a.yaml": yaml_dag("a")})
    row = followed(declared, work_repo.file_url, line)
    assert (row.state, row.reason) == ("failing", "credential")
    assert message in row.message
    assert line.partition(":")[0] in row.message
    assert str(declared.file) in row.message


@pytest.mark.parametrize(("line", "message"), INVALID.items(), ids=INVALID)
def test_an_invalid_entry_fails_its_repository_and_no_other(
    declared: Declared, work_repo: WorkRepo, line: str, message: str
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    row = followed(declared, work_repo.file_url, line)
    assert (row.state, row.reason) == ("failing", "declaration_invalid")
    assert message in row.message
    assert f" ({declared.file}:" in row.message


def test_a_declared_owner_is_that_of_the_dags_without_one(declared: Declared, work_repo: WorkRepo) -> None:
    own = yaml_dag("own").replace("tasks:", "  owner: Ada\ntasks:")
    work_repo.publish({"a.yaml": yaml_dag("a"), "own.yaml": own})
    for lines, owner, changed in (
        (["owner: Team Sales"], "Team Sales", ["aaa"]),
        (["owner: Équipe"], "Équipe", ["aaa"]),
        (["owner: Équipe"], "Équipe", []),
        (["owner:"], "", ["aaa"]),
        ([], "", []),
    ):
        assert declared.follow(entry("aaa", work_repo.file_url, *lines)) == changed
        row = Repository.objects.get()
        assert row.owner == owner
        if row.state == "never":
            assert sync_repository(row.pk, SyncOptions(trigger=Trigger.COMMAND)).ok
        assert dict(Dag.objects.values_list("dag_id", "owner")) == {"a": owner, "own": "Ada"}
        assert set(Dag.objects.values_list("version", flat=True)) == {1}


def test_the_command_syncs_valid_entries_and_names_the_invalid_one(
    declared: Declared, work_repo: WorkRepo
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    text = entry("aaa", "https://git.example.com/a.git", "credentialConnectionId: nosuch")
    text += entry("bbb", work_repo.file_url)
    status, found, _ = declared.run(text, "--now")
    assert (status, found["aaa"]["state"], found["aaa"]["reason"]) == (1, "failing", "credential")
    assert (found["bbb"]["state"], found["bbb"]["created"]) == ("in_sync", ["bbb/a.yaml"])
    assert declared.run(text, "--now", "--repo", "bbb")[0] == 0
    status, listed, _ = declared.run(text, "--list")
    assert (status, listed["aaa"]["reason"], listed["bbb"]["reason"]) == (0, "credential", "")

    text = text.replace("credentialConnectionId: nosuch", 'ref: "\\ud83d"')
    status, found, output = declared.run(text, "--now")
    message = (
        "key 'ref' holds the lone surrogate U+D83D (character 1, line 1 of the text), which cannot be stored"
    )
    assert output == f"kiok: {declared.file}:3: {message}\n"
    assert (status, found["bbb"]["state"]) == (2, "in_sync")
    assert found["aaa"]["reason"] == "declaration_invalid"
    assert found["aaa"]["message"] == f"{message} ({declared.file}:3)"
    assert declared.run(text, "--now", "--repo", "bbb")[0] == 0
    assert declared.run(text, "--list", "--repo", "aaa")[0] == 2


@pytest.mark.parametrize(
    "first",
    [
        entry("Bad Name", "https://git.example.com/a.git"),
        "- url: https://git.example.com/a.git\n",
        "- just text\n",
        '- {name: "\\ud83d", url: u}\n',
    ],
)
def test_while_an_entry_has_no_usable_name_nothing_is_removed(
    declared: Declared, work_repo: WorkRepo, first: str
) -> None:
    good = entry("bbb", work_repo.file_url)
    assert declared.follow(entry("aaa", work_repo.file_url) + good) == ["aaa", "bbb"]
    assert declared.follow(first + good) == []
    assert set(Repository.objects.values_list("name", "declaration_problem")) == {("aaa", ""), ("bbb", "")}
    assert declared.follow(good) == ["aaa"]
    assert Repository.objects.get().name == "bbb"


def test_two_entries_with_one_name_are_both_refused(declared: Declared, work_repo: WorkRepo) -> None:
    other = entry("bbb", work_repo.file_url)
    declared.follow(entry("aaa", work_repo.file_url) + other)
    twice = entry("aaa", "https://git.example.com/x.git") + entry("aaa", work_repo.file_url)
    assert declared.follow(twice + other) == ["aaa"]
    row = Repository.objects.get(name="aaa")
    assert (row.url, row.reason) == (work_repo.file_url, "declaration_invalid")
    assert "already declared in line 1" in row.message


def test_a_repository_keeps_configuration_and_dags_with_a_bad_declaration(
    declared: Declared, work_repo: WorkRepo
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    good = entry("aaa", work_repo.file_url)
    assert declared.follow(good) == ["aaa"]
    row = Repository.objects.get()
    assert sync_repository(row.pk, SyncOptions(trigger=Trigger.COMMAND)).state == "in_sync"
    broken = entry("aaa", "file:///elsewhere.git", "credentialConnectionId: later")
    assert declared.follow(broken) == ["aaa"]
    row.refresh_from_db()
    assert (row.state, row.reason, row.url) == ("failing", "credential", work_repo.file_url)
    assert declared.follow(broken) == []
    # Neither the leader nor a request fetches by the old configuration, whatever is pushed.
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    runs = SyncRun.objects.count()
    assert poll(row.pk) is False
    report = sync_repository(row.pk, SyncOptions(trigger=Trigger.WEBHOOK, full=True))
    assert (report.state, report.reason) == ("failing", "credential")
    assert check(row).reason == "credential"
    assert list(Dag.objects.values_list("uid", flat=True)) == ["aaa/a.yaml"]
    assert SyncRun.objects.count() <= runs + 1
    # With the mistake corrected all is as before, and what was pushed is synced.
    assert declared.follow(good) == ["aaa"]
    row.refresh_from_db()
    assert row.declaration_problem == ""
    assert poll(row.pk) is True
    assert sync_repository(row.pk, SyncOptions(trigger=Trigger.SCHEDULE)).created == ("aaa/b.yaml",)


def test_a_connection_that_is_added_later_is_found(declared: Declared) -> None:
    text = entry("aaa", "https://git.example.com/a.git", "credentialConnectionId: later")
    declared.follow(text)
    make("later", username="u", password="p")
    assert follow_declaration() == ["aaa"]
    row = Repository.objects.get()
    assert (row.credential_id, row.declaration_reason, row.declaration_problem) == ("later", "", "")


def test_signatures_stay_required_while_their_keys_are_unknown(
    declared: Declared, work_repo: WorkRepo
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    declared.follow(entry("aaa", work_repo.file_url, "verify: commit", "verifyConnectionId: nosuch"))
    row = Repository.objects.get()
    assert (row.verify, row.verify_keys_id) == ("commit", None)
    assert sync_repository(row.pk, SyncOptions(trigger=Trigger.COMMAND)).reason == "credential"
    assert not Dag.objects.exists()


def test_an_invalid_declaration_does_not_take_a_repository_from_the_admin(
    declared: Declared, work_repo: WorkRepo
) -> None:
    Repository.objects.create(name="aaa", url=work_repo.file_url)
    declared.follow(entry("aaa", "file:///elsewhere.git", "nosuch: x"))
    declared.follow(entry("bbb", work_repo.file_url))
    row = Repository.objects.get(name="aaa")
    assert (row.managed_by, row.url, row.declaration_problem) == (ManagedBy.ADMIN, work_repo.file_url, "")


def test_pages_api_doctor_and_log_show_what_is_wrong(
    declared: Declared, work_repo: WorkRepo, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        declared.follow(
            entry("aaa", "https://git.example.com/a.git", "nosuch: x")
            + entry("bbb", "https://git.example.com/b.git", "credentialConnectionId: nosuch")
            + entry("ccc", work_repo.file_url)
            + entry("Bad Name", work_repo.file_url)
        )
        jobs.leader_jobs()
    assert "repository aaa is failing (declaration_invalid)" in caplog.text
    assert "repository bbb is failing (credential)" in caplog.text
    assert f"invalid declaration of a repository: {declared.file}:9: name 'Bad Name'" in caplog.text
    ada = User.objects.create_superuser("ada", password="x")
    browser = Client()
    browser.force_login(ada)
    overview = browser.get("/admin/gitsync/overview/", follow=True).content.decode()
    assert "unknown key" in overview
    for row in Repository.objects.all():
        shown = browser.get(f"/admin/gitsync/repository/{row.pk}/change/")
        assert shown.status_code == 200
        wanted = {"aaa": "unknown key", "bbb": "does not exist", "ccc": "Never synced"}[row.name]
        assert wanted in shown.content.decode()
    assert browser.get("/admin/gitsync/repository/").status_code == 200
    api = Api(make_token(ada)[0])
    states = {item["name"]: (item["state"], item["reason"]) for item in api.ok("repositories")["items"]}
    assert states == {
        "aaa": ("failing", "declaration_invalid"),
        "bbb": ("failing", "credential"),
        "ccc": ("never", ""),
    }
    finding = declaration()
    assert finding.status == "fail"
    assert finding.detail.startswith("3 problems of declared repositories: ")
    assert "bbb: the connection 'nosuch' does not exist" in finding.detail
    declared.follow(entry("ccc", work_repo.file_url))
    assert (declaration().status, declaration().detail) == ("ok", "1 declared repositories")
