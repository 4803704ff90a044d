"""The synced folder becomes a link, a submodule or a file, or moves: the repository fails and nothing changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from gitsync.models import Repository
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

FILES = {f"team/dags/{name}.yaml": yaml_dag(name[-1]) for name in ("a", "b", "sub/c")}


@pytest.fixture(params=["whole", "filtered"])
def served(request: pytest.FixtureRequest, work_repo: WorkRepo, sync: Sync) -> WorkRepo:
    """A repository whose `team/dags` is synced, on a server that leaves files out or not."""
    allow = "true" if request.param == "filtered" else "false"
    work_repo.git("--git-dir", str(work_repo.bare), "config", "uploadpack.allowFilter", allow)
    work_repo.publish({**FILES, "README.md": "x\n", "lib/keep.txt": "x\n"})
    Repository.objects.update(subpath="team/dags", include="")
    assert len(sync().created) == 3
    return work_repo


def into(kind: str, repo: WorkRepo, path: str, target: str = "pipelines") -> None:
    """Put something that is no folder in the place of one, and push."""
    shutil.rmtree(repo.work / path)
    if kind == "symbolic link":
        (repo.work / path).symlink_to(target)
    elif kind == "file":
        (repo.work / path).write_text("text\n")
    repo.git("add", "-A")
    if kind == "submodule":
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{path}")
    repo.git("commit", "-q", "-m", "no folder")
    repo.push()


@pytest.mark.parametrize("path", ["team/dags", "team"])
@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("symbolic link", "Set the subpath to its target"),
        ("submodule", "Add the submodule's repository as a repository of its own"),
        ("file", "Restore the folder team/dags"),
    ],
)
def test_a_subpath_that_is_no_folder_now_changes_nothing(
    kind: str, remedy: str, path: str, served: WorkRepo, sync: Sync
) -> None:
    into(kind, served, path)
    for _ in range(2):
        report = sync()
        assert (report.state, report.reason, report.ok) == ("failing", "subpath_not_a_folder", False)
        assert f"{path} is a {kind} now" in report.message
        assert "Nothing was changed" in report.message
        assert remedy in report.message
    if kind == "symbolic link":
        target = {"team": "'pipelines/dags'", "team/dags": "'team/pipelines'"}[path]
        assert f"({path} -> pipelines; links are not followed)" in report.message
        assert target in report.message
    assert Dag.objects.filter(stale_since=None).count() == 3
    # A later commit that changes nothing about it fails in the same way.
    served.write({"README.md": "y\n"})
    served.git("commit", "-q", "-m", "later", "README.md")
    served.push()
    assert sync().reason == "subpath_not_a_folder"
    assert Dag.objects.count() == 3


@pytest.mark.parametrize("target", ["/srv/dags", "../../elsewhere"])
def test_a_target_outside_of_the_repository_is_no_remedy(target: str, served: WorkRepo, sync: Sync) -> None:
    into("symbolic link", served, "team/dags", target)
    report = sync()
    assert report.reason == "subpath_not_a_folder"
    assert f"(team/dags -> {target}; links are not followed)" in report.message
    assert "Restore the folder team/dags, or set the subpath to a folder of this repository" in report.message


def test_a_subpath_that_is_no_folder_is_reported_with_its_type(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.write({"real/a.yaml": yaml_dag("a")})
    (work_repo.work / "dags").symlink_to("real")
    work_repo.publish()
    Repository.objects.update(subpath="dags")
    report = sync()
    assert (report.state, report.reason) == ("failing", "subpath_not_a_folder")
    assert "dags is a symbolic link (dags -> real; links are not followed)" in report.message
    assert "Set the subpath to its target 'real'" in report.message
    Repository.objects.update(subpath="real/a.yaml")
    assert "real/a.yaml is a file, in commit" in sync().message
    Repository.objects.update(subpath="dgas")
    assert sync().reason == "subpath_missing"


def test_the_command_ends_with_1_for_a_subpath_that_is_no_folder_or_moved(served: WorkRepo) -> None:
    into("symbolic link", served, "team/dags")
    done = gitsync("--now", "--json")
    (entry,) = json.loads(done.stdout)["repositories"]
    assert (done.returncode, entry["state"], entry["reason"]) == (1, "failing", "subpath_not_a_folder")
    served.git("reset", "-q", "--hard", "HEAD~1")
    served.git("mv", "team/dags", "team/pipelines")
    served.commit()
    served.push(force=True)
    done = gitsync("--now", "--json")
    (entry,) = json.loads(done.stdout)["repositories"]
    assert (done.returncode, entry["state"], entry["reason"]) == (1, "failing", "subpath_moved")
    assert (entry["pruned"], entry["stale"]) == ([], [])
    assert "team/dags has moved to team/pipelines" in entry["message"]


def move(source: str, target: str) -> Callable[[WorkRepo], None]:
    def moved(repo: WorkRepo) -> None:
        (repo.work / target).parent.mkdir(parents=True, exist_ok=True)
        repo.git("mv", source, target)

    return moved


def edit(repo: WorkRepo) -> None:
    move("team/dags", "pipelines")(repo)
    for name in ("a", "sub/c"):
        (repo.work / f"pipelines/{name}.yaml").write_text(yaml_dag("edited"))


def flatten(repo: WorkRepo) -> None:
    for name in ("a", "b", "sub/c"):
        repo.git("mv", f"team/dags/{name}.yaml", f"flat_{name.replace('/', '_')}.yaml")


def to_root(repo: WorkRepo) -> None:
    for name in ("a.yaml", "b.yaml", "sub"):
        repo.git("mv", f"team/dags/{name}", name)


@pytest.mark.parametrize(
    ("change", "message", "remedy"),
    [
        (
            move("team/dags", "team/pipelines"),
            "moved to team/pipelines (3 of its 3",
            "subpath to 'team/pipelines'",
        ),
        (move("team", "group"), "moved to group/dags (3 of its 3", "subpath to 'group/dags'"),
        (edit, "moved to pipelines (1 of its 3", "subpath to 'pipelines'"),
        (
            flatten,
            "3 of its 3 files with DAGs are elsewhere (team/dags/a.yaml is now flat_a.yaml)",
            "folder that holds",
        ),
        (to_root, "moved to the repository's root (3 of its 3", "Make the subpath empty"),
    ],
    ids=["renamed", "parent renamed", "mostly edited", "flattened", "to the root"],
)
def test_a_folder_that_moved_changes_nothing_and_its_new_place_is_named(
    change: Callable[[WorkRepo], None], message: str, remedy: str, served: WorkRepo, sync: Sync
) -> None:
    change(served)
    served.publish()
    for _ in range(2):
        report = sync()
        assert (report.state, report.reason, report.ok) == ("failing", "subpath_moved", False)
        assert message in report.message
        assert remedy in report.message
    assert "Nothing was changed" in report.message
    assert Dag.objects.filter(stale_since=None).count() == 3
    assert sync(dry_run=True).reason == "subpath_moved"


def test_a_moved_folder_is_synced_from_its_new_path_or_pruned(served: WorkRepo, sync: Sync) -> None:
    served.git("mv", "team/dags", "pipelines")
    served.publish()
    assert sync().reason == "subpath_moved"
    # As the message explains, a file in the old folder shows the intention to remove the DAGs.
    served.publish({"team/dags/.gitkeep": ""})
    report = sync()
    assert (report.state, len(report.pruned)) == ("in_sync", 3)
    Repository.objects.update(subpath="pipelines")
    assert len(sync().created) == 3


def test_a_stale_file_that_moved_counts_too(served: WorkRepo, sync: Sync) -> None:
    served.git("rm", "-q", "team/dags/b.yaml", "team/dags/sub/c.yaml")
    served.publish({"team/dags/a.yaml": "dag: {id: a}\ntasks: []\n"})
    assert sync().stale == ("team/team/dags/a.yaml",)
    served.git("mv", "team/dags", "pipelines")
    served.publish()
    assert sync().reason == "subpath_moved"
    assert Dag.objects.count() == 1


def test_a_folder_that_is_deleted_is_pruned_as_before(served: WorkRepo, sync: Sync) -> None:
    served.git("rm", "-rq", "team/dags")
    served.publish({"pipelines/a.yaml": yaml_dag("another")})
    report = sync()
    assert (report.state, len(report.pruned)) == ("in_sync", 3)
    assert Dag.objects.count() == 0
