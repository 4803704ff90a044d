"""A file that no longer gives its DAG, and does not prove that none is meant: the DAG is served on, and the file fails."""

from __future__ import annotations

import json

import pytest

from gitsync.models import FileState, Repository, RepositoryState, SourceFile, SyncRun
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = "dag:\n  id: a\ntasks:\n- id: t\n  script: echo a\n"
JSON = '{"dag": {"id": "a"}, "tasks": [{"id": "t", "script": "echo a"}]}'
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
SOPS = GOOD.replace(" a\n", " ENC[AES256_GCM,data:x,type:str]\n") + "sops:\n  version: 3.9.0\n"

# The new text of a good file, the reported line (None: the whole file), and the message.
UNPROVEN = {
    "a blank before dag": (" " + GOOD, 1, "indented with 1 space and line 3 with no spaces"),
    "a tab before dag": ("\t" + GOOD, 1, "indented with a tab"),
    "an open quote": (GOOD.replace("id: a", 'id: "a'), 2, 'the quote (") that opens here is not closed'),
    "a diff": ("diff --git a/a b/a\n@@ -1 +1 @@\n-x: y\n" + GOOD, 1, "the line is part of a diff"),
    "a merge conflict": ("<<<<<<< HEAD\n" + GOOD + "=======\n>>>>>>> x\n", 1, "merge conflict marker"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), None, "seems to be in UTF-16"),
    "UTF-16": (GOOD.encode("utf-16"), None, "is in UTF-16; save it in UTF-8"),
    "JSON without a comma": (JSON.replace("}, ", "} "), 1, "expected ',' or '}'"),
    "dags": (GOOD.replace("dag:", "dags:"), 1, "unknown key 'dags'; did you mean `dag:`?"),
    "Dag": (GOOD.replace("dag:", "Dag:"), 1, "unknown key 'Dag'; did you mean `dag:`?"),
    "'dag '": (GOOD.replace("dag:", "'dag ':"), 1, "did you mean `dag:`?"),
    "no colon": (GOOD.replace("dag:", "dag"), 1, "':' is missing after 'dag'"),
    "no dag": (GOOD.partition("\n")[2].partition("\n")[2], 1, "did you mean `dag:`?"),
    "a list": ("- dag: {id: a}\n  tasks: []\n", 1, "one level too deep"),
    "nested": ("spec:\n  dag: {id: a}\n  tasks: []\n", 2, "one level too deep"),
    "Git LFS": (LFS, None, "this is a Git LFS pointer, not the file it points to; commit the file itself"),
    "git-crypt": (b"\0GITCRYPT\0\x81\x99\xaa", None, "encrypted (git-crypt)"),
    "sops": (SOPS, None, "encrypted (sops)"),
    "ansible-vault": ("$ANSIBLE_VAULT;1.1;AES256\n3661\n", None, "encrypted (ansible-vault)"),
    "empty": ("", None, "the file is empty, or holds only comments. To remove the DAG"),
    "comments": ("# dag: {id: a}\n", None, "the file is empty, or holds only comments"),
    "a text": ("404\n", 1, "it is a plain value"),
    "a Taskfile": ("version: '3'\ntasks: {build: {cmds: [make]}}\n", 2, "did you mean `dag:`?"),
}
PROVEN = {
    "compose": "services: {web: {image: nginx}}\n",
    "workflow": "name: ci\non: push\njobs: {build: {steps: [{run: make}]}}\n",
    "playbook": "- hosts: all\n  tasks:\n  - name: x\n    command: y\n",
    "chart": "image: {tag: v1}\ntag: v2\n",
}


def test_a_served_dag_stays_and_its_file_is_named_with_line_and_reason(
    work_repo: WorkRepo, sync: Sync, subtests: pytest.Subtests
) -> None:
    paths = {case: f"{number:02}.yaml" for number, case in enumerate(UNPROVEN)}
    uids = tuple(f"team/{path}" for path in paths.values())
    work_repo.publish({**dict.fromkeys(paths.values(), GOOD), "b.yaml": yaml_dag("b")})
    assert sync().state == RepositoryState.IN_SYNC
    work_repo.publish({paths[case]: content for case, (content, _line, _output) in UNPROVEN.items()})

    report = sync()

    assert (report.state, report.reason, report.ok) == (RepositoryState.DEGRADED, "files_failed", False)
    assert (report.pruned, report.stale, report.not_a_dag) == ((), uids, ())
    failed = {item.path: item for item in report.failed}
    log = SyncRun.objects.latest("started_at").log
    for case, (_content, line, output) in UNPROVEN.items():
        with subtests.test(case):
            path = paths[case]
            assert failed[path].line == line
            assert output in failed[path].message
            dag = Dag.objects.get(uid=f"team/{path}")
            assert output in str(dag.stale_reason)
            assert dag.spec["tasks"][0]["script"] == "echo a"
            assert any(path in entry and output in entry for entry in log.splitlines()), log

    assert len(failed) == len(UNPROVEN)
    assert sync().state == RepositoryState.DEGRADED  # nothing new: still said
    assert sync(full=True).stale == uids
    for path in paths.values():
        (work_repo.work / path).unlink()
    work_repo.publish()
    report = sync()
    assert (report.state, report.pruned) == (RepositoryState.IN_SYNC, uids)


def test_a_file_that_is_something_else_now_prunes_its_dag(work_repo: WorkRepo, sync: Sync) -> None:
    paths = {name: f"{name}.yaml" for name in PROVEN}
    work_repo.publish({**dict.fromkeys(paths.values(), GOOD), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({paths[name]: content for name, content in PROVEN.items()})
    report = sync()
    assert (report.state, report.failed) == (RepositoryState.IN_SYNC, ())
    assert report.pruned == tuple(sorted(f"team/{path}" for path in paths.values()))
    assert sorted(report.not_a_dag_reasons) == sorted(paths.values())


def test_a_new_file_in_doubt_is_listed_with_its_reason(work_repo: WorkRepo, sync: Sync) -> None:
    files = {f"{number:02}.yaml": content for number, (content, _line, _said) in enumerate(UNPROVEN.values())}
    work_repo.publish(files)
    report = sync()
    failed = {item.path for item in report.failed}
    listed = dict(zip(UNPROVEN, files, strict=True))
    doubtful = {"Git LFS", "git-crypt", "ansible-vault", "empty", "comments", "a text", "a Taskfile"}
    assert {name for name, path in listed.items() if path not in failed} == doubtful
    assert set(report.not_a_dag) == {listed[name] for name in doubtful}
    for name in doubtful - {"empty", "comments", "a text", "a Taskfile"}:
        assert UNPROVEN[name][2] in report.not_a_dag_reasons[listed[name]]
    assert report.not_a_dag_reasons[listed["empty"]] == "it is empty, or holds only comments"
    assert report.not_a_dag_reasons[listed["a Taskfile"]] == (
        "it has no key 'dag' at the top level (found: 'version', 'tasks')"
    )


@pytest.mark.parametrize(
    ("second", "stale"),
    [
        ("dags:\n  id: b\ntasks:\n- {id: t, script: s}\n", "team/x.yaml::b"),
        ("daag: {id: b}\ntusks: []\n", "team/x.yaml::b"),
        ("b\n", "team/x.yaml::b"),
    ],
)
def test_a_document_in_doubt_keeps_its_dag_and_the_uids_of_the_others(
    second: str, stale: str, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"x.yaml": yaml_dag("a") + "---\n" + yaml_dag("b")})
    sync()
    work_repo.publish({"x.yaml": yaml_dag("a", "echo new") + "---\n" + second})
    report = sync()
    assert (report.created, report.pruned, report.stale) == ((), (), (stale,))
    assert report.updated == ("team/x.yaml::a",)
    assert [item.path for item in report.failed] == ["x.yaml"]


@pytest.mark.parametrize("name", ["Git LFS", "git-crypt", "ansible-vault", "empty"])
def test_a_python_file_without_its_content_keeps_its_dag(name: str, work_repo: WorkRepo, sync: Sync) -> None:
    content, _line, output = UNPROVEN[name]
    work_repo.publish({"p.py": "from kiok import Dag\nd = Dag('d')\nd.task('t', script='s')\n"})
    assert sync().created == ("team/p.py::d",)
    work_repo.publish({"p.py": content, "new.py": content})
    report = sync()
    assert (report.pruned, report.stale) == ((), ("team/p.py::d",))
    messages = {item.path: item.message for item in report.failed}
    assert output in messages["p.py"]
    # A new one fails too, but for a file without a statement, which is the most common module there is.
    assert ("new.py" in messages) == (name != "empty")


def test_a_bad_reference_makes_a_served_dag_stale_with_task_and_key(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": GOOD})
    sync()
    work_repo.publish({"a.yaml": GOOD.replace("echo a", "echo ${conn.warehouse}")})
    report = sync()
    assert (report.pruned, report.stale) == ((), ("team/a.yaml",))
    (failed,) = report.failed
    assert failed.line == 5
    assert failed.message.startswith(
        "DAG 'a', task 't', key 'script': '${conn.warehouse}' is not a valid reference"
    )


def test_the_command_reports_it_on_both_outputs_with_status_1(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": GOOD, "b.yaml": yaml_dag("b")})
    assert gitsync("--now").returncode == 0
    many = {f"lib/{number:02}.yaml": "services: {}\n" for number in range(30)}
    work_repo.publish({"a.yaml": " " + GOOD, ".kiokignore": "x.yaml\n", "x.yaml": GOOD, **many})

    done = gitsync("--now", "--json")

    assert done.returncode == 1
    (entry,) = json.loads(done.stdout)["repositories"]
    assert (entry["state"], entry["pruned"], entry["stale"]) == ("degraded", [], ["team/a.yaml"])
    assert (entry["failed"][0]["path"], entry["failed"][0]["line"]) == ("a.yaml", 1)
    assert len(entry["not_a_dag"]) == 30
    reason = "it has no key 'dag' at the top level (found: 'services')"
    assert entry["not_a_dag_reasons"] == dict.fromkeys(many, reason)
    assert entry["ignored_reasons"] == {"x.yaml": ".kiokignore"}
    again = gitsync("--now")  # from the store this time
    assert again.returncode == 1
    lines = again.stdout.splitlines()
    assert f"· not a DAG team/lib/00.yaml: {reason}" in lines
    assert "· not a DAG 10 more of team; see --json or the file list for all" in lines
    assert len([line for line in lines if line.startswith("· not a DAG team/")]) == 20
    assert "· ignored   team/x.yaml: .kiokignore" in lines
    assert any(
        line.startswith("✗ failed   team/a.yaml:1: not valid YAML: the line is indented") for line in lines
    )
    rows = SourceFile.objects.filter(state=FileState.NOT_A_DAG)
    assert {row.reason for row in rows} == {reason}
    log = SyncRun.objects.filter(to_commit=entry["to_commit"]).latest("started_at").log
    assert f"not a DAG: lib/00.yaml: {reason}" in log
    assert "ignored: x.yaml: .kiokignore" in log
