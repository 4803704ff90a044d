"""`manage.py gitsync` as scripts see it: a process, its output, its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db.models.functions import Now

from gitsync.models import Repository, SyncRun
from gitsync.sync.lease import acquire, release
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [
    "name",
    "state",
    "reason",
    "message",
    "from_commit",
    "to_commit",
    "created",
    "updated",
    "pruned",
    "stale",
    "unchanged",
    "compiled",
    "reused",
    "failed",
    "not_a_dag",
    "ignored",
    "not_a_dag_reasons",
    "ignored_reasons",
    "seconds",
]


def test_json_is_one_object_on_stdout_and_nothing_else(work_repo: WorkRepo, repository: Repository) -> None:
    commit = work_repo.publish(
        {"a.yaml": yaml_dag("a"), "ci.yml": "on: push\n", ".kiokignore": "x.yaml", "x.yaml": ""}
    )
    done = gitsync("--now", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["repositories"]
    assert list(entry) == KEYS
    assert entry["created"] == ["team/a.yaml"]
    assert (entry["from_commit"], entry["to_commit"]) == ("", commit)
    assert (entry["not_a_dag"], entry["ignored"]) == (["ci.yml"], ["x.yaml"])
    assert (entry["state"], entry["reason"], entry["unchanged"]) == ("in_sync", "", 0)


def test_a_failed_file_gives_status_1_its_place_and_the_registered_dags(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish(
        {"a.yaml": yaml_dag("a"), "b.yaml": "dag:\n  id: b\ntasks:\n- id: t\n  require: [x]\n  script: s\n"}
    )
    done = gitsync("--now", "--json")
    assert done.returncode == 1
    (entry,) = json.loads(done.stdout)["repositories"]
    assert entry["created"] == ["team/a.yaml"]
    (failed,) = entry["failed"]
    assert (failed["path"], failed["line"]) == ("b.yaml", 5)
    assert "requires" in failed["message"]
    again = gitsync("--now", "--json")  # nothing new: still failed, still said
    assert again.returncode == 1
    assert json.loads(again.stdout)["repositories"][0]["failed"] == entry["failed"]


def test_an_unknown_repository_is_a_usage_error_that_names_the_known(repository: Repository) -> None:
    done = gitsync("--now", "--repo", "taem")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'taem'" in done.stderr
    assert "team" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--nwo",), ("--now", "--list"), ("--now", "--repo")])
def test_wrong_usage_ends_with_status_2(arguments: tuple[str, ...], transactional_db: None) -> None:
    assert gitsync(*arguments).returncode == 2


def test_only_the_named_repositories_are_synced(work_repo: WorkRepo, repository: Repository) -> None:
    Repository.objects.create(name="other", url=work_repo.file_url)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    done = gitsync("--now", "--repo", "other", "--json")
    assert [entry["name"] for entry in json.loads(done.stdout)["repositories"]] == ["other"]
    assert list(Dag.objects.values_list("uid", flat=True)) == ["other/a.yaml"]


def test_the_dry_run_and_the_table_show_what_would_change(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    done = gitsync("--now", "--dry-run", COLUMNS="160")
    assert done.returncode == 0, done.stderr
    assert "nothing was written" in done.stdout
    assert "team/a.yaml" in done.stdout
    assert Dag.objects.count() == SyncRun.objects.count() == 0


def test_the_list_shows_how_each_repository_stands(work_repo: WorkRepo, repository: Repository) -> None:
    shown = gitsync("--list", COLUMNS="160")
    assert "Never synced" in shown.stdout
    (row,) = json.loads(gitsync("--list", "--json").stdout)["repositories"]
    assert (row["name"], row["state"], row["credentialConnectionId"]) == ("team", "never", None)
    assert row["held_by"] == ""


def test_the_list_shows_disabled_repositories_and_the_lease_holder(
    work_repo: WorkRepo, repository: Repository
) -> None:
    held = acquire(repository.pk)
    assert held
    Repository.objects.create(name="resting", url=work_repo.file_url, enabled=False)
    rows = {row["name"]: row for row in json.loads(gitsync("--list", "--json").stdout)["repositories"]}
    assert rows["team"]["held_by"] == f"On {socket.gethostname()[:60]}, process {os.getpid()}."
    assert (rows["resting"]["enabled"], rows["resting"]["held_by"]) == (False, "")
    release(held)


def test_declared_repositories_are_taken_over_followed_and_removed(
    work_repo: WorkRepo, transactional_db: None
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    declared = {"KIOK_GITSYNC_REPOS": f"ours|{work_repo.file_url}|main|"}
    assert gitsync("--now", **declared).returncode == 0
    row = Repository.objects.get(name="ours")
    assert (row.managed_by, row.url) == ("config", work_repo.file_url)
    assert Dag.objects.filter(uid="ours/a.yaml").exists()
    # A process started without any declaration deletes nothing.
    assert gitsync("--list").returncode == 0
    assert Repository.objects.count() == 1
    # Nor does an empty one, unless a property says so.
    assert gitsync("--list", KIOK_GITSYNC_REPOS="").returncode == 2
    assert Repository.objects.count() == Dag.objects.count() == 1
    allowed = gitsync("--list", KIOK_GITSYNC_REPOS="", KIOK_GITSYNC_REPOS_ALLOW_EMPTY="true")
    assert allowed.returncode == 0
    assert Repository.objects.count() == Dag.objects.count() == 0


def test_a_declared_url_of_a_page_is_an_error_that_offers_the_repositorys(transactional_db: None) -> None:
    page = "https://github.com/acme/dags/tree/main/dags"
    done = gitsync("--now", "--json", KIOK_GITSYNC_REPOS=f"ours|{page}|main|")
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)["repositories"]
    assert report["reason"] == "url_invalid"
    assert "Enter url 'https://github.com/acme/dags.git', ref 'main' and subpath 'dags'" in report["message"]


def test_repositories_are_declared_in_a_yaml_file_too(
    work_repo: WorkRepo, transactional_db: None, tmp_path: Path
) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    work_repo.tag("v1")
    declared = tmp_path / "repositories.yaml"
    declared.write_text(f"- name: ours\n  url: {work_repo.file_url}\n  ref: tag:v1\n  subpath: dags\n")
    done = gitsync("--now", "--json", KIOK_GITSYNC_REPOS_FILE=str(declared))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["repositories"][0]["created"] == ["ours/dags/a.yaml"]
    declared.write_text("- name: ours\n  uri: x\n")
    refused = gitsync("--now", KIOK_GITSYNC_REPOS_FILE=str(declared))
    assert refused.returncode == 2
    assert f"kiok: {declared}:2: unknown key 'uri'; did you mean 'url'?" in refused.stderr
    assert Dag.objects.filter(uid="ours/dags/a.yaml").exists()


def on_a_terminal(*arguments: str, columns: int = 80) -> tuple[int, str]:
    """Run `manage.py gitsync` with a terminal as stdout and stderr; its exit status and what it printed."""
    primary, secondary = pty.openpty()
    with ThreadPoolExecutor(1) as reader:
        shown = reader.submit(read_to_the_end, primary)
        try:
            done = gitsync(
                *arguments, terminal=os.ttyname(secondary), TERM="xterm-256color", COLUMNS=str(columns)
            )
        finally:
            os.close(secondary)
    os.close(primary)
    return done.returncode, shown.result().decode()


def read_to_the_end(terminal: int) -> bytes:
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal whose other side is closed
        while data := os.read(terminal, 4096):
            shown += data
    return shown


def test_hostile_text_does_not_reach_the_terminal(work_repo: WorkRepo, repository: Repository) -> None:
    hostile = "\x1b]0;title\x07\x9b2J\u202edexif\nforged"
    Repository.objects.update(paused_at=Now(), paused_by=hostile, pause_reason=hostile, reason=hostile[:20])
    for arguments in (("--list",), ("--now",), ("--now", "--repo", "team")):
        piped = gitsync(*arguments)
        for printed in (piped.stdout + piped.stderr, on_a_terminal(*arguments)[1]):
            assert "\\x1b]0;title\\x07\\x9b2J\\u202edexif" in printed, arguments
            assert not any(text in printed for text in ("\x1b]", "\x07", "\x9b", "\u202e")), arguments
            assert not any(line.startswith("forged") for line in printed.splitlines())


def test_piped_tables_are_neither_wrapped_nor_cut(work_repo: WorkRepo, transactional_db: None) -> None:
    name, folder, ref = "a" * 63, "folder/" * 100 + "dags", "b" * 300
    Repository.objects.create(name=name, url=work_repo.file_url, subpath=folder, ref=ref)
    (row,) = (line for line in gitsync("--list").stdout.splitlines() if name in line)
    assert folder in row
    assert ref in row
    assert "Never synced" in row
    (row, reason) = (line for line in gitsync("--now").stdout.splitlines() if name in line)
    assert "Failing" in row
    assert f"{name} (ref_missing): " in reason
    assert max(map(len, on_a_terminal("--list")[1].splitlines())) <= 120  # with what sets colours


def test_on_a_terminal_each_step_is_shown_and_then_a_table(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    status, text = on_a_terminal("--now")
    assert status == 0
    assert "team" in text
    assert "finish" in text
    assert "In sync" in text
    assert "team/a.yaml" in text
