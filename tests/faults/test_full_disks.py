"""No space for mirrors or temporary files: the sync reports a remedy, prunes nothing and leaves no partial files."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from gitsync.models import Repository
from gitsync.monitoring.doctor import host
from gitsync.monitoring.doctor.runner import examine
from gitsync.remedies import remedy
from gitsync.sync import remote
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.cluster import heartbeat
from kiok.connections.models import Connection
from tests.faults.own_mounts import with_own_mounts
from tests.faults.small_disk import small_disk
from tests.faults.team import Team
from tests.support.cluster import eventually
from tests.support.reference.authoring import python_file, yaml_file
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTES = 2


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """With a commit that is deployed."""
    team = Team("cramped", tmp_path / "served")
    team.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
    return team


def sync(team: Team) -> SyncReport:
    return sync_repository(team.pk, SyncOptions(wait=True))


def is_refused_for_want_of_room(team: Team) -> None:
    report = sync(team)
    assert (report.state, report.reason) == ("failing", "disk_full"), report
    assert "no space left" in report.message.lower(), report.message
    assert "Free space" in remedy(report.reason)
    team.serves_as_before_the_last_push()
    assert not Repository.objects.exclude(lease_holder="").exists()


def test_a_full_disk_of_the_mirrors_prunes_nothing_and_leaves_no_partial(team: Team) -> None:
    def work() -> None:
        with small_disk(remote.mirror_of(team.pk).directory.parent, MEGABYTES) as disk:
            assert sync(team).ok
            # Random, so that git's compression does not make it fit.
            team.push({f"{name}.yaml": yaml_file({name: secrets.token_hex(200_000)}) for name in "acde"})
            disk.fill(but=300_000)
            is_refused_for_want_of_room(team)
            left = [
                path.name for path in disk.folder.rglob("*") if path.suffix == ".lock" or "tmp_" in path.name
            ]
            assert not left
            disk.fill()
            is_refused_for_want_of_room(team)
            disk.make_room()
            assert sync(team).ok
            team.holds_what_was_pushed()

    with_own_mounts(work)


def test_a_mirror_that_does_not_fit_on_the_disk_is_created_later(team: Team) -> None:
    def work() -> None:
        with small_disk(remote.mirror_of(team.pk).directory.parent, MEGABYTES) as disk:
            disk.fill()
            is_refused_for_want_of_room(team)
            disk.make_room()
            assert sync(team).ok
            team.holds_what_was_pushed()

    with_own_mounts(work)


def test_without_room_for_temporary_files_no_key_is_left(team: Team, ssh_server: SshServer) -> None:
    key = Connection(id="deploy", type="git")
    key.set_properties({"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts})
    key.save()
    Repository.objects.update(url=ssh_server.url(team.repo.bare), credential=key)
    assert sync(team).ok
    team.push({"a.yaml": yaml_file({"a": "echo 2"})})

    def work() -> None:
        with small_disk(remote.client().secrets_root, 1) as disk:
            disk.fill()
            is_refused_for_want_of_room(team)
            assert [path.name for path in disk.folder.iterdir()] == ["balloon"]
            disk.make_room()
            assert sync(team).ok
            team.holds_what_was_pushed()

    with_own_mounts(work)


def test_a_full_temporary_folder_prevents_no_sync(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def work() -> None:
        with small_disk(tmp_path / "tmp", 1) as disk:
            disk.fill()
            monkeypatch.setenv("TMPDIR", str(disk.folder))  # as for git
            monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
            assert sync(team).ok
            team.push({"p.py": python_file({"p": "echo 2"}), "a.yaml": yaml_file({"a": "echo 2"})})
            assert sync(team).ok
            team.holds_what_was_pushed()
            assert [path.name for path in disk.folder.iterdir()] == ["balloon"]

    with_own_mounts(work)


def test_the_doctor_reports_a_full_disk(tmp_path: Path, settings: Settings) -> None:
    settings.KIOK = replace(settings.KIOK, base_data_dir=tmp_path / "data")
    looked = [check for check in host.CHECKS if not check.needs_database]

    def work() -> None:
        with small_disk(settings.KIOK.base_data_dir, 1) as disk:
            disk.fill()
            remote.client.cache_clear()
            found = {result.name: result for result in examine(looked)}
            assert found["git"].status == "fail"
            assert "No space left on device" in found["git"].detail
            assert found["git"].remedy == remedy("disk_full")
            assert "No space left on device" in found["disk-data"].detail
            disk.make_room()
            assert examine(looked)[0].status != "fail"

    try:
        with_own_mounts(work)
    finally:
        remote.client.cache_clear()


def test_an_uncountable_size_of_a_disk_hides_no_worker(
    tmp_path: Path, settings: Settings, transactional_db: None
) -> None:
    settings.KIOK = replace(settings.KIOK, base_data_dir=tmp_path / "boundless")
    with small_disk(settings.KIOK.base_data_dir, 10**13):
        worker = heartbeat.Heartbeat("ant/boot/1/2")
        worker.start()
        eventually(heartbeat.alive().exists, 5, "it counts as alive")
        worker.stop()
    assert not heartbeat.alive().exists()
