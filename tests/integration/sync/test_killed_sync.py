"""A process killed in any step of a sync: the next sync ends as if nothing had happened, and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsync.models import Repository, SourceFile, SyncRun
from gitsync.sync import remote
from gitsync.worker import sandbox
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.reference.authoring import python_file, unreadable_yaml, yaml_file
from tests.support.reference.differences import differences
from tests.support.reference.model import Files, after
from tests.support.reference.reading import read_store
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer
from tests.support.stateful.nursery import Nursery
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = ("probe", "fetch", "discover", "compile", "plan", "apply", "finish")

PYTHON = python_file({"p": "s"}, comment="\nimport time\ntime.sleep(0.2)")


@pytest.fixture
def private(work_repo: WorkRepo, ssh_server: SshServer, repository: Repository) -> Repository:
    """The repository, reached over ssh with a key."""
    connection_row = Connection(id="deploy", type="git")
    connection_row.set_properties(
        {"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts}
    )
    connection_row.save()
    repository.url = ssh_server.url(work_repo.bare)
    repository.credential = connection_row
    repository.save()
    return repository


def state() -> dict[str, object]:
    """All that a sync decides, without times and numbers of attempts."""
    return {
        "dags": list(
            Dag.objects.values(
                "uid", "version", "spec_hash", "commit_sha", "stale_reason", "source", "image_digest"
            )
        ),
        "versions": sorted(DagVersion.objects.values_list("uid", "version", "spec_hash", "commit_sha")),
        "files": list(SourceFile.objects.values("path", "state", "blob_sha", "dags")),
        "repository": Repository.objects.values(
            "state", "reason", "last_commit", "last_good_commit", "last_outcome", "consecutive_failures"
        ).get(),
    }


def is_of_another(credentials: Path) -> bool:
    """Return whether another running process has that folder: other tests run at the same time."""
    pid = int(credentials.name.split("-")[2])
    return pid != os.getpid() and Path(f"/proc/{pid}").exists()


def leftovers() -> dict[str, list[str]]:
    """Return the leftovers that a sync must not leave: containers, credential folders, lock files of git."""
    client = sandbox.sandbox().engine.client()
    labelled = client.containers(all=True, filters={"label": [f"kiok.service={sandbox.service()}"]})
    mirrors = remote.mirror_of(Repository.objects.get().pk).directory
    return {
        "containers": [item["Id"] for item in labelled if item["Labels"].get("kiok.repository") == "team"],
        "credentials": [
            str(path) for path in remote.client().secrets_root.glob("call-*") if not is_of_another(path)
        ],
        "locks": [str(path) for path in mirrors.rglob("*.lock")],
    }


@pytest.fixture(autouse=True)
def _own_credentials_folder() -> None:
    remote.sweep()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.case("recovery.crash-before-publish", "recovery.crash-after-fetch", "publish.after-crash")
def test_a_sync_killed_in_a_step_is_completed_by_the_next(
    step: str, private: Repository, work_repo: WorkRepo, sync: Sync, nursery: Nursery
) -> None:
    old: Files = {
        "a.yaml": yaml_file({"a": "echo 1"}),
        "b.yaml": yaml_file({"b": "echo 1"}),
        "p.py": PYTHON,
    }
    new: Files = {
        "a.yaml": yaml_file({"a": "echo 2"}),
        "c.yaml": yaml_file({"c": "echo 2"}),
        "d.yaml": unreadable_yaml(),
        "p.py": PYTHON,
    }
    first = work_repo.publish({path: file.text or "" for path, file in old.items()})
    sync()
    (work_repo.work / "b.yaml").unlink()
    commit = work_repo.publish({path: file.text or "" for path, file in new.items()})
    before = state()

    assert nursery.sync(private.pk, step=step)

    between = state()
    if step != "finish":
        assert between["dags"] == before["dags"], "half a commit is visible"
    report = sync()
    assert report.to_commit == commit
    assert not differences(after("team", [(first, old), (commit, new)]), read_store("team"))
    assert state()["repository"]["last_good_commit"] == commit  # type: ignore[index]
    assert not SyncRun.objects.filter(state="running").exists()
    sandbox.sweep()
    remote.sweep()
    wait_until_clean()


def test_a_sync_killed_while_a_container_compiles_leaves_no_container(
    private: Repository, work_repo: WorkRepo, sync: Sync, nursery: Nursery
) -> None:
    slow = "from kiok import Dag\nimport time\ntime.sleep(600)\nd = Dag('p')\nd.task('a', script='s')\n"
    work_repo.publish({"p.py": slow})
    assert nursery.sync(private.pk, step="compile", once="container")
    wait_until_clean()
    work_repo.publish({"p.py": slow.replace("600", "0")})
    assert sync().created == ("team/p.py::p",)


@pytest.mark.rule("credentials.key-file")
@pytest.mark.case("recovery.garbage")
def test_a_sync_killed_while_git_holds_the_key_leaves_no_key_and_no_lock(
    private: Repository, ssh_server: SshServer, work_repo: WorkRepo, sync: Sync, nursery: Nursery
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    commit = work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    ssh_server.delay(8)
    assert nursery.sync(private.pk, step="fetch", once="key")
    ssh_server.delay(0)
    assert sync().to_commit == commit
    remote.sweep()
    wait_until_clean()


def wait_until_clean() -> None:
    wait_until(lambda: not any(leftovers().values()), lambda: f"nothing is left: {leftovers()}")
