"""The files that a repository includes and the signatures that it requires: on its form, and as declared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from gitsync.models import Repository
from gitsync.repositories.declared import follow_declaration
from kiok.connections.models import Connection
from kiok.server import properties
from tests.support.admin_pages import page

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


@pytest.fixture
def keys(transactional_db: None) -> Connection:
    row = Connection(id="team-keys")
    row.set_properties({"allowedSigners": "ada@example.org ssh-ed25519 AAAA"})
    return row


def form(repository: Repository, **changes: str) -> dict[str, str]:
    values = {
        name: getattr(repository, name) for name in ("name", "url", "ref", "subpath", "include", "verify")
    }
    return {
        **values,
        "credential": "",
        "verify_keys": "",
        "allow_empty": "on",
        "enabled": "on",
        "interval_ms": "",
        **changes,
    }


def test_a_new_repository_includes_python_files_and_verifies_nothing(browser: Client) -> None:
    shown = browser.get(f"{LIST}add/").context["adminform"].form
    assert shown["include"].value() == "*.py"
    assert shown["verify"].value() == "off"
    assert "<textarea" in str(shown["include"])
    assert "<select" in str(shown["verify"])


def test_entered_settings_are_stored_and_make_the_repository_due(
    browser: Client, repository: Repository, keys: Connection
) -> None:
    before = repository.config_hash
    sent = form(repository, include="*.py\r\nshared/", verify="commit", verify_keys="team-keys")
    assert browser.post(page(repository), sent).status_code == 302
    row = Repository.objects.get()
    assert row.include.splitlines() == ["*.py", "shared/"]
    assert (row.verify, row.verify_keys_id) == ("commit", "team-keys")
    assert row.config_hash != before
    assert row.next_due_at > repository.next_due_at


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"verify": "commit"}, "verify_keys", "Choose the connection with the trusted keys"),
        ({"verify": "tag", "verify_keys": "team-keys"}, "verify", "This ref is not a tag"),
        ({"verify": "sometimes"}, "verify", "not one of the available choices"),
        ({"verify": "commit", "verify_keys": "none"}, "verify_keys", "not one of the available choices"),
    ],
)
def test_errors_of_signature_settings_are_shown_at_their_fields(
    browser: Client,
    repository: Repository,
    keys: Connection,
    changes: dict[str, str],
    field: str,
    message: str,
) -> None:
    shown = browser.post(page(repository), form(repository, **changes))
    assert message in str(shown.context["adminform"].form.errors[field])
    assert "errorlist" in shown.content.decode()
    assert Repository.objects.get().verify == "off"


def test_a_connection_whose_keys_are_trusted_cannot_be_removed(
    browser: Client, repository: Repository, keys: Connection
) -> None:
    Repository.objects.update(verify="commit", verify_keys=keys)
    browser.post("/admin/connections/connection/team-keys/delete/", {"post": "yes"})
    assert Connection.objects.filter(pk="team-keys").exists()


# Declared.


def declare(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    file = tmp_path / "repositories.yaml"
    file.write_text(text)
    loaded = properties.load({"KIOK_GITSYNC_REPOS_FILE": str(file)})
    given = replace(settings.KIOK, file_repositories=loaded.file_repositories, sources=loaded.sources)
    monkeypatch.setattr(settings, "KIOK", given)
    return follow_declaration()


DECLARED = """\
- name: team
  url: https://git.example.com/dags.git
  ref: tag:v1
  include: ["*.py", shared/]
  verify: tag
  verifyConnectionId: team-keys
"""


def test_declared_repositories_follow_the_file_and_are_read_only(
    browser: Client, keys: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert declare(DECLARED, tmp_path, monkeypatch) == ["team"]
    row = Repository.objects.get()
    assert (row.include, row.verify, row.verify_keys_id) == ("*.py\nshared/", "tag", "team-keys")
    assert declare(DECLARED, tmp_path, monkeypatch) == []
    shown = browser.get(page(row), {"tab": "settings"}).content.decode()
    for name, value in (("include", "shared/"), ("verify", "tag"), ("verify_keys", "team-keys")):
        assert f'name="{name}"' not in shown
        field = shown.partition(f"field-{name}")[2].partition("form-row")[0]
        assert value in field, name

    assert declare(DECLARED.replace("verify: tag", "verify: off"), tmp_path, monkeypatch) == ["team"]
    assert Repository.objects.get().verify == "off"
    assert declare(DECLARED.partition("  include")[0], tmp_path, monkeypatch) == ["team"]
    row = Repository.objects.get()
    assert (row.include, row.verify, row.verify_keys_id) == ("*.py", "off", None)


def test_keys_in_a_connection_that_does_not_exist_fail_the_repository(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert declare(DECLARED, tmp_path, monkeypatch) == ["team"]
    row = Repository.objects.get()
    assert (row.state, row.reason, row.verify, row.verify_keys) == ("failing", "credential", "tag", None)
    assert "the connection 'team-keys' does not exist" in row.message
    assert "correct verifyConnectionId" in row.message
