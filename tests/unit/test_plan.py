"""The plan: what a commit changes in the metadata store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compilers.result import FileStatus
from gitsync.sync.plan import make_plan
from kiok.errors import Diagnostic
from tests.support.plan_model import file, recorded, spec


def test_a_file_that_the_store_makes_fail_is_never_reused() -> None:
    keyed = replace(file("c.py", doubtful=True), key="key")
    (failed,) = make_plan("repo", [keyed], [recorded("c.py", "x")]).files
    assert (failed.status, failed.key) == (FileStatus.FAILED, "")
    claim = replace(file("c.py", [spec("x", 0)]), key="key")
    (refused,) = make_plan("repo", [claim], (), {"repo/c.py::x": "a bundle"}).files
    assert (refused.status, refused.key) == (FileStatus.FAILED, "")


def test_a_doubt_fails_a_file_only_where_a_recorded_dag_is_missing() -> None:
    doubtful = file("c.jar", [spec("x", 0)], doubtful=True)
    assert make_plan("repo", [doubtful], [recorded("c.jar", "x")]).files == (doubtful,)
    assert make_plan("repo", [doubtful], ()).files == (doubtful,)
    plan = make_plan("repo", [doubtful], [recorded("c.jar", "x"), recorded("c.jar", "y")])
    (failed,) = plan.failed_files
    assert failed.diagnostics == doubtful.doubts
    assert (plan.pruned, [item.uid for item in plan.stale]) == ((), ["repo/c.jar::y"])
    assert "something is not understood" in plan.stale[0].reason


def test_documents_keep_their_uids_when_another_one_is_in_doubt() -> None:
    """Two DAGs of one YAML file, of which one is now in doubt: the other is not renamed."""
    doubtful = file("c.yaml", [spec("x", 0)], keyed=False, doubtful=True)
    plan = make_plan("repo", [doubtful], [recorded("c.yaml", "x"), recorded("c.yaml", "y")])
    assert (plan.created, plan.pruned, [item.uid for item in plan.stale]) == ((), (), ["repo/c.yaml::y"])
    plan = make_plan("repo", [doubtful], [recorded("c.yaml", "x", keyed=False)])
    assert (plan.created, plan.pruned, plan.stale) == ((), (), ())


def test_the_uid_of_a_lone_document_is_its_path_and_others_have_the_id() -> None:
    plan = make_plan("repo", [file("a.yaml", [spec("x", 0)], keyed=False), file("c.py", [spec("x", 0)])], ())
    assert [found.uid for found in plan.created] == ["repo/a.yaml", "repo/c.py::x"]


def test_a_second_document_moves_the_first_to_its_new_uid() -> None:
    commit = [file("a.yaml", [spec("x", 0), spec("y", 0)])]
    plan = make_plan("repo", commit, [recorded("a.yaml", "x", keyed=False)])
    assert plan.changes == {
        "created": ["repo/a.yaml::x", "repo/a.yaml::y"],
        "updated": [],
        "pruned": ["repo/a.yaml"],
        "stale": [],
    }


def test_a_broken_second_document_keeps_the_dag_of_the_first_served_once() -> None:
    commit = [file("a.yaml", [spec("x", 0)], failed=True, keyed=True)]
    plan = make_plan("repo", commit, [recorded("a.yaml", "x", keyed=False)])
    assert ([found.uid for found in plan.created], plan.pruned) == (["repo/a.yaml::x"], ("repo/a.yaml",))
    assert plan.stale == ()


def test_good_dags_of_a_partly_failed_file_are_taken_and_others_stale() -> None:
    commit = [file("c.py", [spec("x", 1)], failed=True)]
    plan = make_plan("repo", commit, [recorded("c.py", "x"), recorded("c.py", "y")])
    assert [found.uid for found, _ in plan.updated] == ["repo/c.py::x"]
    assert [(stale.uid, stale.reason) for stale in plan.stale] == [
        ("repo/c.py::y", "c.py:3: something is wrong")
    ]


def test_a_stale_reason_counts_the_problems_it_leaves_out() -> None:
    broken = replace(
        file("c.py", failed=True), diagnostics=(Diagnostic("one"), Diagnostic("two"), Diagnostic("3"))
    )
    (stale,) = make_plan("repo", [broken], [recorded("c.py", "x")]).stale
    assert stale.reason == "one (and 2 more)"
    bare = replace(broken, diagnostics=())
    assert make_plan("repo", [bare], [recorded("c.py", "x")]).stale[0].reason == "its file failed"


def test_a_file_that_cannot_be_loaded_fails_only_if_it_gave_dags() -> None:
    doubtful = file("c.py", doubtful=True)
    plan = make_plan("repo", [doubtful], [recorded("c.py", "x")])
    assert plan.failed_files == (replace(doubtful, status=FileStatus.FAILED),)
    assert [stale.uid for stale in plan.stale] == ["repo/c.py::x"]
    assert make_plan("repo", [doubtful], [recorded("other.py", "x")]).failed_files == ()


def test_a_file_that_proves_to_hold_no_dag_any_more_gives_up_its_dags() -> None:
    assert make_plan("repo", [file("c.py")], [recorded("c.py", "x")]).pruned == ("repo/c.py::x",)


@pytest.mark.parametrize("change", ["text", "image", "stale_reason"])
def test_a_dag_whose_spec_is_the_same_is_refreshed_without_a_new_version(change: str) -> None:
    changed: dict[str, Any] = {change: "another"}
    before = recorded("c.py", "x")._replace(**changed)
    plan = make_plan("repo", [file("c.py", [spec("x", 0)])], [before])
    assert [(found.uid, item) for found, item in plan.refreshed] == [("repo/c.py::x", before)]
    assert plan.changes["updated"] == []
