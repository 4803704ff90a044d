"""The reference model and the product agree on each rule, one at a time; and the model finds every difference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gitsync.models import Repository
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync
from tests.support.reference.authoring import (
    failing_python,
    python_file,
    unreadable_yaml,
    yaml_file,
    yaml_without_dag,
)
from tests.support.reference.differences import differences
from tests.support.reference.model import Files, Store, after, in_scope
from tests.support.reference.reading import read_store
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

ONE = yaml_file({"x": "echo 1"})
TWO = yaml_file({"x": "echo 2"})
BOTH = yaml_file({"x": "echo 1", "y": "echo 1"})

STORIES: dict[str, Sequence[Files]] = {
    "edit, comment, nothing": [
        {"a.yaml": ONE},
        {"a.yaml": TWO},
        {"a.yaml": yaml_file({"x": "echo 2"}, "c")},
        {},
    ],
    "break, break otherwise, repair as before": [
        {"a.yaml": ONE},
        {"a.yaml": unreadable_yaml()},
        {"a.yaml": unreadable_yaml("b"), "b.yaml": unreadable_yaml()},
        {"a.yaml": ONE},
    ],
    "break and remove": [
        {"a.yaml": ONE, "b.yaml": ONE},
        {"a.yaml": unreadable_yaml(), "b.yaml": ONE},
        {"b.yaml": ONE},
    ],
    "remove and return": [{"a.yaml": ONE}, {"b.yaml": ONE}, {"a.yaml": ONE}],
    "no longer a DAG": [{"a.yaml": ONE}, {"a.yaml": yaml_without_dag()}, {"a.yaml": ONE}],
    "a second document": [{"a.yaml": ONE}, {"a.yaml": BOTH}, {"a.yaml": ONE}],
    "fails in part": [
        {"a.yaml": BOTH},
        {"a.yaml": yaml_file({"x": "echo 2", "y": "echo 2"}, broken=["y"])},
        {"a.yaml": yaml_file({"x": "echo 2", "y": "echo 2"})},
    ],
    "a second document that is broken": [
        {"a.yaml": ONE},
        {"a.yaml": yaml_file({"x": "echo 1", "y": "echo 1"}, broken=["y"])},
    ],
    "a document whose id changes while another fails": [
        {"a.yaml": BOTH},
        {"a.yaml": yaml_file({"z": "echo 1", "y": "echo 1"}, broken=["y"])},
    ],
    "python": [
        {"p.py": python_file({"x": "echo 1", "y": "echo 1"})},
        {"p.py": failing_python()},
        {"p.py": python_file({"x": "echo 2"})},
    ],
}


def publish(work_repo: WorkRepo, files: Files) -> str:
    """A commit of exactly these files."""
    for path in work_repo.git("ls-files").splitlines():
        (work_repo.work / path).unlink()
    return work_repo.publish({path: file.text or "" for path, file in files.items()})


@pytest.mark.parametrize("story", STORIES)
def test_the_database_matches_the_reference_model(
    story: str, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    expected = Store()
    for files in STORIES[story]:
        expected = after("team", [(publish(work_repo, files), files)], expected)
        sync()
        assert differences(expected, read_store("team")) == []


def test_the_model_follows_the_folder_that_is_synced(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    files: Files = {"a/x.yaml": ONE, "b/x.yaml": TWO}
    commit = publish(work_repo, files)
    sync()
    Repository.objects.update(subpath="a")
    sync()
    expected = after("team", [(commit, files), (commit, in_scope(files, "a"))])
    assert list(expected.dags) == ["team/a/x.yaml"]
    assert differences(expected, read_store("team")) == []


def test_each_difference_from_the_reference_model_is_reported(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    files: Files = {"a.yaml": ONE, "b.yaml": ONE, "c.yaml": ONE}
    commit = publish(work_repo, files)
    sync()
    expected = after("team", [(commit, files)])
    Dag.objects.filter(uid="team/a.yaml").delete()
    Dag.objects.filter(uid="team/b.yaml").update(version=7, commit_sha="0" * 40)
    DagVersion.objects.filter(uid="team/c.yaml").update(version=2)
    reported = differences(expected, read_store("team"))
    assert reported == [
        f"team/a.yaml: is not there; it must serve version 1 of commit {commit[:12]}",
        f"team/b.yaml: commit is {'0' * 40!r}, and must be {commit!r}",
        "team/b.yaml: version is 7, and must be 1",
        "team/c.yaml: its history has the versions [2], and must have [1]",
        "team/c.yaml, version 1 of its history: number is 2, and must be 1",
    ]
    assert differences(expected, Store())
