"""A declaration of repositories that is lost or damaged removes none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.models import ManagedBy, Repository
from gitsync.repositories.declared import MAX_NAMED, DeclarationError
from kiok.server import properties
from kiok.server.errors import PropertyError
from tests.support.declarations import ALL, ALLOW, BLANK, follow, stored, without
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_blank_property_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for blank in BLANK:
        with subtests.test(blank=blank):
            with pytest.raises(DeclarationError) as refused:
                follow({**environ, "KIOK_GITSYNC_REPOS": blank}, monkeypatch)
            message = str(refused.value)
            assert message.startswith(
                "kiok.gitsync.repos (environment variable KIOK_GITSYNC_REPOS) is empty, so 1 repository with 2 DAGs "
                "(here: 2) would be deleted. Nothing was changed"
            )
            assert "kiok.gitsync.repos.allow.empty=true" in message
            assert stored() == ALL


EMPTY_FILES = {
    "empty": "",
    "blank lines": "\n \n",
    "comments": "# - name: there\n#   url: x\n",
    "a list without entries": "[]\n",
    "a list without entries, in a document": "---\n# none yet\n[]\n...\n",
    "a byte order mark": "\ufeff",
    "a byte order mark and comments": "\ufeff# none\n",
}


def test_a_file_without_entries_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    for case, text in EMPTY_FILES.items():
        with subtests.test(case):
            file.write_text(text)
            with pytest.raises(DeclarationError) as refused:
                follow(environ, monkeypatch)
            assert str(refused.value).startswith(
                f"the file {file} (kiok.gitsync.repos.file) declares no repository, so 1 repository with 1 DAG "
                "(there: 1) would be deleted"
            )
            assert stored() == ALL


BROKEN_FILES = {
    "null": "null\n",
    "a document marker alone": "---\n",
    "a mapping with an empty list": "repositories: []\n",
    "an empty mapping": "{}\n",
    "conflict markers of a merge": "<<<<<<< HEAD\n=======\n- name: there\n  url: x\n>>>>>>> theirs\n",
    "an alias to nothing": "- *there\n",
    "cut off in the middle of an entry": "- name: there\n  ur",
    "cut off in the middle of a quote": '- name: "the',
    "two documents": "[]\n---\n- name: there\n  url: x\n",
    "a Git LFS pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
}


@pytest.mark.parametrize("text", BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_file_that_is_no_list_of_repositories_is_a_wrong_property(
    declared: dict[str, str], text: str
) -> None:
    file = Path(declared["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text(text)
    with pytest.raises(PropertyError) as refused:
        properties.load({**declared, **ALLOW})
    assert all(problem.startswith(f"{file}:") for problem in refused.value.problems)


NAMELESS_ENTRIES = {
    "a list of null": "- \n- null\n",
    "a list of empty mappings": "- {}\n",
    "a merge key in place of the entries": "- <<: &base {name: there, url: x}\n",
}


def test_entries_without_a_name_prevent_removal_of_any_repository(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for case, text in NAMELESS_ENTRIES.items():
        with subtests.test(case):
            Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text(text)
            assert follow({**environ, "KIOK_GITSYNC_REPOS": "", **ALLOW}, monkeypatch) == []
            assert stored() == ALL


def test_a_file_of_invalid_entries_alone_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text("- name: new\n")
    with pytest.raises(DeclarationError, match=r"declares no valid repository, so 1 repository with 1 DAG"):
        follow(environ, monkeypatch)
    assert stored() == ALL


@pytest.mark.parametrize("loss", ["missing", "folder", "link to nothing", "not UTF-8", "too large"])
def test_a_file_that_cannot_be_read_is_a_wrong_property(declared: dict[str, str], loss: str) -> None:
    file = Path(declared["KIOK_GITSYNC_REPOS_FILE"])
    file.unlink()
    if loss == "folder":
        file.mkdir()
    elif loss == "link to nothing":
        file.symlink_to(file.with_name("nowhere"))
    elif loss == "not UTF-8":
        file.write_bytes(b"\xff\xfe\x00")
    elif loss == "too large":
        file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(PropertyError, match=r"kiok\.gitsync\.repos\.file|repositories\.yaml") as refused:
        properties.load({**declared, **ALLOW})
    assert str(file) in str(refused.value)


def test_a_wrong_property_stops_every_command_before_anything_is_removed(environ: dict[str, str]) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text("repositories: []\n")
    for command in (("--list",), ("--now",)):
        done = gitsync(*command, **environ, **ALLOW)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{file}:1: found a mapping; expected a list of repositories" in done.stderr
    assert stored() == ALL


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("KIOK_GITSYNC_REPOS", "kiok.gitsync.repos is not set, so 1 repository with 2 DAGs (here: 2)"),
        (
            "KIOK_GITSYNC_REPOS_FILE",
            "kiok.gitsync.repos.file is not set, so 1 repository with 1 DAG (there: 1)",
        ),
    ],
)
def test_one_lost_property_of_two_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, lost: str, message: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        follow(without(environ, lost), monkeypatch)
    assert str(refused.value).startswith(message)
    assert stored() == ALL


def test_both_that_are_empty_are_named_with_all_that_would_go(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text("")
    with pytest.raises(DeclarationError) as refused:
        follow({**environ, "KIOK_GITSYNC_REPOS": ""}, monkeypatch)
    assert "2 repositories with 3 DAGs (here: 2, there: 1) would be deleted" in str(refused.value)
    assert " is empty and the file " in str(refused.value)
    assert stored() == ALL


def test_repositories_from_before_the_source_was_recorded_are_kept_too(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    Repository.objects.update(declared_source="")
    for blank in BLANK:
        with subtests.test(blank=blank):
            with pytest.raises(DeclarationError, match=r"2 repositories with 3 DAGs"):
                follow({"KIOK_GITSYNC_REPOS": blank}, monkeypatch)
            with pytest.raises(DeclarationError, match=r"kiok.gitsync.repos.file .* is empty"):
                follow({"KIOK_GITSYNC_REPOS_FILE": blank.strip(" ,\t")}, monkeypatch)
            assert stored() == ALL


def test_the_first_of_very_many_repositories_are_named(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MAX_NAMED + 3):
        Repository.objects.create(name=f"r{number:03}", url="x", managed_by=ManagedBy.CONFIG)
    with pytest.raises(DeclarationError, match=r"23 repositories with 0 DAGs .*r019: 0, and 3 more\)"):
        follow({"KIOK_GITSYNC_REPOS": ""}, monkeypatch)


def test_a_refused_declaration_changes_nothing_else_either(
    environ: dict[str, str], work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text(f"- name: there\n  url: {work_repo.file_url}\n  ref: other\n- name: new\n  url: x\n")
    with pytest.raises(DeclarationError):
        follow({**environ, "KIOK_GITSYNC_REPOS": ""}, monkeypatch)
    assert stored() == ALL
    assert set(Repository.objects.values_list("ref", flat=True)) == {"main"}
