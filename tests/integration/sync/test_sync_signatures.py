"""Repositories that require signatures: a commit that no trusted key signed changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError

from gitsync.models import Repository, SyncRun, Verify
from gitsync.sync import remote
from kiok.connections.models import Connection
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import GpgHome, SshKey, signed_commit, signed_tag

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(tmp_path: Path) -> SshKey:
    return SshKey(tmp_path, "ada")


@pytest.fixture
def eve(tmp_path: Path) -> SshKey:
    return SshKey(tmp_path, "eve")


@pytest.fixture
def gpg() -> Iterator[GpgHome]:
    home = GpgHome()
    try:
        yield home
    finally:
        home.close()


def trust(repository: Repository, properties: dict[str, str], verify: Verify = Verify.COMMIT) -> Connection:
    """Have the repository require signatures of these keys."""
    row = Connection(id="keys", type="generic")
    row.set_properties(properties)
    repository.verify, repository.verify_keys = verify, row
    repository.save()
    return row


def serving() -> list[tuple[str, str, object]]:
    return list(Dag.objects.values_list("uid", "commit_sha", "stale_since"))


@pytest.mark.rule("failure.absence")
def test_a_signed_commit_syncs_and_an_unsigned_one_changes_nothing(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync
) -> None:
    trust(repository, {"allowedSigners": ada.signer("ada@example.org")})
    good = signed_commit(work_repo, ada.options(), yaml_dag("a"))
    assert sync().created == ("team/a.yaml",)
    assert "verify" in SyncRun.objects.get().timings

    work_repo.git("rm", "-q", "a.yaml")
    bad = work_repo.publish({"b.yaml": yaml_dag("b")})
    report = sync()

    assert (report.state, report.reason) == ("failing", "signature_missing")
    assert bad in report.message
    assert (report.created, report.pruned, report.stale) == ((), (), ())
    assert serving() == [("team/a.yaml", good, None)]
    assert Repository.objects.get().last_good_commit == good

    later = signed_commit(work_repo, ada.options(), yaml_dag("a", "echo 2"))
    assert set(sync().updated) == {"team/a.yaml"}
    assert ("team/a.yaml", later, None) in serving()


def test_a_commit_by_another_key_is_refused_with_its_id_and_the_key_seen(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, eve: SshKey, sync: Sync
) -> None:
    trust(repository, {"allowedSigners": ada.signer("ada@example.org")})
    commit = signed_commit(work_repo, eve.options(), yaml_dag("a"))
    report = sync()
    assert (report.state, report.reason) == ("failing", "signature_refused")
    assert commit in report.message
    assert eve.fingerprint in report.message
    assert serving() == []
    # Each sync reports it again, and nothing is fetched or verified again.
    assert sync().reason == "signature_refused"
    assert SyncRun.objects.count() == 1


def test_openpgp_keys_of_a_connection_serve(
    work_repo: WorkRepo, repository: Repository, gpg: GpgHome, sync: Sync
) -> None:
    key = gpg.key("Ada <ada@example.org>")
    trust(repository, {"openpgpKeys": gpg.public(key)})
    signed_commit(work_repo, gpg.options(key), yaml_dag("a"))
    assert sync().created == ("team/a.yaml",)
    other = gpg.key("Eve <eve@example.org>")
    signed_commit(work_repo, gpg.options(other), yaml_dag("a", "echo 2"))
    report = sync()
    assert report.reason == "signature_refused"
    assert other in report.message
    assert list((remote.client().settings.home / "verify").iterdir()) == []


def test_a_signed_tag_syncs_and_one_moved_by_another_key_changes_nothing(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, eve: SshKey, sync: Sync
) -> None:
    repository.ref = "tag:v1"
    trust(repository, {"allowedSigners": ada.signer("ada")}, Verify.TAG)
    good = work_repo.publish({"a.yaml": yaml_dag("a")})
    signed_tag(work_repo, ada.options(), "v1")
    assert sync().created == ("team/a.yaml",)
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    tag = signed_tag(work_repo, eve.options(), "v1")
    report = sync()
    assert report.reason == "signature_refused"
    assert tag in report.message
    assert serving() == [("team/a.yaml", good, None)]


def test_a_lightweight_tag_is_reported_as_unsignable(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync
) -> None:
    repository.ref = "tag:v1"
    trust(repository, {"allowedSigners": ada.signer("ada")}, Verify.TAG)
    signed_commit(work_repo, ada.options(), yaml_dag("a"))
    work_repo.tag("v1")
    report = sync()
    assert report.reason == "signature_missing"
    assert "lightweight tag" in report.message


def test_the_tag_chosen_of_a_range_must_be_signed_under_its_own_name(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync
) -> None:
    repository.ref = "semver:>=1.0.0"
    trust(repository, {"allowedSigners": ada.signer("ada")}, Verify.TAG)
    work_repo.publish({"a.yaml": yaml_dag("a", "echo old")})
    old = signed_tag(work_repo, ada.options(), "v1.0.0")
    new = work_repo.publish({"a.yaml": yaml_dag("a", "echo new")})
    signed_tag(work_repo, ada.options(), "v1.1.0")
    assert sync().created == ("team/a.yaml",)
    # A user who may push tags, and has no key, serves an old release as the newest.
    work_repo.push(f"{old}:refs/tags/v9.0.0")
    report = sync()
    assert report.reason == "signature_refused"
    assert "'v1.0.0'" in report.message
    assert "'v9.0.0'" in report.message
    assert serving() == [("team/a.yaml", new, None)]


def test_a_dry_run_verifies_too(work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync) -> None:
    trust(repository, {"allowedSigners": ada.signer("ada")})
    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert sync(dry_run=True).reason == "signature_missing"
    assert SyncRun.objects.count() == 0


def test_a_key_removed_from_the_connection_is_not_used_by_the_next_sync(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, eve: SshKey, sync: Sync
) -> None:
    row = trust(repository, {"allowedSigners": ada.signer("ada") + eve.signer("eve")})
    signed_commit(work_repo, eve.options(), yaml_dag("a"))
    assert sync().state == "in_sync"
    row.set_properties({"allowedSigners": ada.signer("ada")})
    assert sync().reason == "signature_refused"
    row.set_properties({"allowedSigners": eve.signer("eve")})
    assert sync().state == "in_sync"


@pytest.mark.parametrize(
    ("properties", "match"),
    [
        ({"token": "x"}, "neither 'openpgpKeys'"),
        ({"allowedSigners": "ada ssh-ed25519 AAAA"}, "'allowedSigners', line 1"),
        ({"openpgpKeys": "mDMEZ"}, "'openpgpKeys'"),
    ],
)
def test_unusable_keys_are_reported_with_their_connection_and_property(
    properties: dict[str, str],
    match: str,
    work_repo: WorkRepo,
    repository: Repository,
    ada: SshKey,
    sync: Sync,
) -> None:
    trust(repository, properties)
    signed_commit(work_repo, ada.options(), yaml_dag("a"))
    report = sync()
    assert report.reason == "signature_keys_unusable"
    assert "connection 'keys'" in report.message
    assert match in report.message
    assert serving() == []


def test_without_a_connection_for_keys_nothing_is_taken_for_signed(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync
) -> None:
    signed_commit(work_repo, ada.options(), yaml_dag("a"))
    Repository.objects.update(verify=Verify.COMMIT)
    report = sync()
    assert report.reason == "signature_keys_unusable"
    assert "verifyConnectionId" in report.message


def test_keys_that_cannot_be_decrypted_are_tried_again_until_they_can(
    work_repo: WorkRepo, repository: Repository, ada: SshKey, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(repository, {"allowedSigners": ada.signer("ada")})
    signed_commit(work_repo, ada.options(), yaml_dag("a"))
    with monkeypatch.context() as patch:
        patch.setattr(settings, "KIOK_MASTER_KEY", lambda: "another master key, also long enough")
        report = sync()
        assert (report.state, report.reason) == ("failing", "credential")
        assert "connection 'keys'" in report.message
        assert serving() == []
    # The commit is the same: a cached failure would be reported again.
    assert sync().created == ("team/a.yaml",)


@pytest.mark.parametrize(
    ("ref", "verify", "keyed", "field"),
    [
        ("main", Verify.COMMIT, False, "verify_keys"),
        ("main", Verify.TAG, True, "verify"),
        ("tag:v1", Verify.TAG, True, None),
        ("main", Verify.COMMIT, True, None),
    ],
)
def test_a_configuration_that_cannot_be_verified_is_refused_on_save(
    ref: str, verify: Verify, keyed: bool, field: str | None, repository: Repository, ada: SshKey
) -> None:
    trust(repository, {"allowedSigners": ada.signer("ada")}, verify)
    repository.ref = ref
    if not keyed:
        repository.verify_keys = None
    if field is None:
        repository.full_clean()
        return
    with pytest.raises(ValidationError) as caught:
        repository.full_clean()
    assert list(caught.value.message_dict) == [field]
