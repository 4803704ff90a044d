"""A repository's own sandbox images: real git, real containers, real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client

from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxUnavailable
from gitsync.errors import SyncReason
from gitsync.models import ManagedBy, Repository, SourceFile, SyncRun, Trigger
from gitsync.repositories.declared import follow_declaration
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import sandbox
from kiok.cluster.conf import properties
from kiok.metadata.models import Dag
from kiok.server.properties import TABLE, load
from tests.integration.conftest import Sync, yaml_dag
from tests.support.images import image_from
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

DAG = "from kiok import Dag\nfrom teamlib import NAME\nd = Dag('d')\nd.task('t', script=NAME)\n"
UID = "team/d.py::d"


def library(name: str) -> dict[str, object]:
    return {
        "instructions": "USER 0\nCOPY teamlib.py /usr/local/lib/python3.11/dist-packages/\nUSER 65532:65532",
        "files": {"teamlib.py": f"NAME = {name!r}\n"},
    }


@pytest.fixture
def base() -> str:
    return properties().sandbox_image_python


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


def use(repository: Repository, image: str) -> None:
    repository.images = {"python": image} if image else {}
    repository.full_clean()
    repository.save()


def script() -> str:
    return str(Dag.objects.get(uid=UID).spec["tasks"][0]["script"])


def test_a_repositorys_image_brings_the_library_that_its_dag_imports(
    work_repo: WorkRepo, repository: Repository, sync: Sync, base: str
) -> None:
    work_repo.publish({"d.py": DAG})
    report = sync()
    assert report.created == ()
    assert "ModuleNotFoundError: No module named 'teamlib'" in report.failed[0].message
    with image_from(base, **library("one")) as team:  # type: ignore[arg-type]
        use(repository, team)
        # Nothing was pushed and no full sync was requested: the edit is enough.
        assert sync().created == (UID,)
        assert script() == "one"
        digest = sandbox.sandbox().image_digest(PYTHON, team)
        assert Dag.objects.get(uid=UID).image_digest == digest
        assert Repository.objects.get().last_outcome["images"] == {"python": digest}
        runs = SyncRun.objects.count()
        sync()
        assert SyncRun.objects.count() == runs
        use(repository, "")
        assert sync().stale == (UID,)


def test_a_rebuilt_image_compiles_the_repositorys_dags_again(
    work_repo: WorkRepo, repository: Repository, sync: Sync, base: str, engine: docker.DockerClient
) -> None:
    work_repo.publish({"d.py": DAG})
    with image_from(base, **library("one")) as team:  # type: ignore[arg-type]
        use(repository, team)
        sync()
        with image_from(base, **library("two")) as newer:  # type: ignore[arg-type]
            engine.images.get(newer).tag(team)
            sandbox.sandbox().engine.forget_images()
            assert sync().updated == (UID,)
            assert script() == "two"


def test_a_missing_image_is_the_repositorys_error_until_it_appears(
    work_repo: WorkRepo, repository: Repository, sync: Sync, base: str, engine: docker.DockerClient
) -> None:
    work_repo.publish({"d.py": DAG, "a.yaml": yaml_dag("a")})
    with image_from(base, **library("one")) as team:  # type: ignore[arg-type]
        use(repository, team)
        sync()
        missing = f"{team}-not-yet"
        use(repository, missing)
        report = sync()
        row = Repository.objects.get()
        assert (report.reason, row.reason, row.state) == ("image_missing", "image_missing", "degraded")
        assert report.message == row.message == SyncRun.objects.first().message  # type: ignore[union-attr]
        assert row.message.startswith(
            "1 file failed; 1 DAG keeps its last good version. sandbox unavailable: the image "
        )
        assert (
            f"{missing!r} for python files, named by the repository (imagePython), is not on" in row.message
        )
        # Served DAGs stay, files that need no container are synced, and the failed file is retried.
        assert (report.stale, report.pruned, report.unchanged) == ((UID,), (), 1)
        file = SourceFile.objects.get(path="d.py")
        assert file.retry_at is not None
        assert (file.attempts, row.consecutive_failures) == (1, 0)
        assert not poll(repository.pk), "its image is not there yet"
        engine.images.get(team).tag(missing)
        try:
            assert poll(repository.pk), "its image is there"
            report = sync_repository(repository.pk, SyncOptions(Trigger.SCHEDULE))
            assert (report.state, report.reason, report.stale) == ("in_sync", "", ())
            assert Dag.objects.get(uid=UID).stale_since is None
        finally:
            engine.images.remove(missing)


def test_an_image_of_another_protocol_is_the_repositorys_error(
    work_repo: WorkRepo, repository: Repository, sync: Sync, base: str
) -> None:
    work_repo.publish({"d.py": DAG})
    with image_from(base, "LABEL kiok.protocol=0") as old:
        use(repository, old)
        report = sync()
    assert (report.reason, Repository.objects.get().reason) == ("image_mismatch", "image_mismatch")
    assert "speaks sandbox protocol 0" in report.message
    assert "imagePython" in report.message


def test_a_missing_image_of_the_property_names_the_property(
    work_repo: WorkRepo, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, sandbox_image_python="kiok-test-no-such:1"))
    sandbox.sandbox.cache_clear()
    try:
        work_repo.publish({"d.py": DAG})
        report = sync()
    finally:
        sandbox.sandbox.cache_clear()
    assert report.reason == "image_missing"
    assert "'kiok-test-no-such:1' for python files, named by kiok.sandbox.image.python, is" in report.message
    assert "Build it with `make images`" in report.message


def test_every_reason_for_a_missing_container_is_a_reason_of_syncs() -> None:
    reasons = {one.reason for one in (SandboxUnavailable, *SandboxUnavailable.__subclasses__())}
    assert reasons == {"sandbox_unavailable", "image_missing", "image_mismatch"}
    assert reasons <= {reason.value for reason in SyncReason}


# Where it is configured.

GOOD = [
    "team-python",
    "team/python:1.2-x",
    "localhost:5000/team/python:1",
    "Registry.Example.com/a_b/c__d.e---f@sha256:" + "0" * 64,
    "[::1]:5000/x:" + "v" * 128,
    "sha256:" + "a" * 64,
]
BAD = [
    *("-v", "--privileged", "a b", "a\n", "a\tb", " a", "A/B", "a:b:c", "a//b", "/a", "a/", "a:", "a@b", "a:-x", ".."),
    *("https://x/y", "a;b", "a$b", "ä", "a@sha256:0", "a:" + "v" * 129, "a" * 256, "a..b", "a_.b"),
]  # fmt: skip


@pytest.mark.parametrize("image", GOOD)
def test_an_image_reference_is_taken_on_every_way_in(repository: Repository, image: str) -> None:
    use(repository, image)
    assert TABLE["kiok.sandbox.image.java"].parser.parse(image) == image


@pytest.mark.parametrize("image", BAD)
def test_an_invalid_image_reference_is_refused_everywhere(
    repository: Repository, image: str, tmp_path: Path
) -> None:
    repository.images = {"jar": image}
    with pytest.raises(ValidationError) as raised:
        repository.full_clean()
    assert set(raised.value.message_dict) == {"image_java"}
    if image == image.strip():
        with pytest.raises(ValueError, match=r"image reference|longer than|control"):
            TABLE["kiok.sandbox.image.java"].parser.parse(image)
    file = tmp_path / "repositories.yaml"
    file.write_text(f"- name: a\n  url: u\n  imageJava: {image!a}\n".replace("\\xe4", "ä"))
    (invalid,) = load({"KIOK_GITSYNC_REPOS_FILE": str(file)}).invalid_repositories
    assert "imageJava" in invalid.problem


def test_a_change_of_either_image_is_a_change_of_the_configuration(repository: Repository) -> None:
    hashes = {repository.config_hash}
    for name in ("python", "jar"):
        repository.images[name] = "team:1"
        hashes.add(repository.config_hash)
    assert len(hashes) == 3


def test_declared_images_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    def declare(text: str) -> list[str]:
        file = tmp_path / "repositories.yaml"
        file.write_text(f"- name: team\n  url: https://git.example.com/dags.git\n{text}")
        loaded = load({"KIOK_GITSYNC_REPOS_FILE": str(file)})
        given = replace(settings.KIOK, file_repositories=loaded.file_repositories, sources=loaded.sources)
        monkeypatch.setattr(settings, "KIOK", given)
        return follow_declaration()

    assert declare("  imagePython: team-python:1\n  imageJava: team-java:1\n") == ["team"]
    row = Repository.objects.get()
    assert row.images == {"python": "team-python:1", "jar": "team-java:1"}
    assert declare("  imagePython: team-python:1\n  imageJava: team-java:1\n") == []
    assert declare("  imagePython:\n") == ["team"]
    row = Repository.objects.get()
    assert row.images == {}


def test_images_are_edited_in_the_admin_and_a_wrong_one_is_a_field_error(
    repository: Repository,
) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada", password="x"))
    page = f"/admin/gitsync/repository/{repository.pk}/change/"
    form = {
        **{
            name: getattr(repository, name) for name in ("name", "url", "ref", "subpath", "include", "verify")
        },
        **{"allow_empty": "on", "enabled": "on", "interval_ms": "", "credential": "", "verify_keys": ""},
    }
    answer = browser.post(page, {**form, "image_python": "--privileged", "image_java": "team-java:1"})
    assert set(answer.context["adminform"].form.errors) == {"image_python"}
    assert "team-python:1" in answer.content.decode()

    browser.post(page, {**form, "image_python": "team-python:1", "image_java": "team-java:1"})

    repository.refresh_from_db()
    assert repository.images == {"python": "team-python:1", "jar": "team-java:1"}
    shown = browser.get(page, {"tab": "settings"}).content.decode()
    assert "kiok.sandbox.image.python" in shown
    assert 'value="team-python:1"' in shown
    assert LogEntry.objects.get().get_change_message() == "Changed Image for Python and Image for jars."


def test_the_images_of_a_declared_repository_are_shown(repository: Repository) -> None:
    Repository.objects.update(managed_by=ManagedBy.CONFIG, images={"python": "team-python:1"})
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada", password="x"))
    page = f"/admin/gitsync/repository/{repository.pk}/change/"
    shown = browser.get(page, {"tab": "settings"}).content.decode()
    for row, text in (("image_python", "team-python:1"), ("image_java", "-")):
        part = shown[shown.index(f"field-{row}") :][:600]
        assert f'<div class="readonly">{text}</div>' in part, part
    assert "Image for jars:" in shown
