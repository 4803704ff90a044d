"""Links, submodules and long or upper-case names where DAGs were or could be: nothing disappears silently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from gitsync.models import FileState, Repository, SourceFile
from kiok.metadata.models import Dag
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[WorkRepo, str], None]


def remove(repo: WorkRepo, path: str) -> None:
    target = repo.work / path
    shutil.rmtree(target) if target.is_dir() and not target.is_symlink() else target.unlink()


def into_link(repo: WorkRepo, path: str) -> None:
    remove(repo, path)
    (repo.work / path).symlink_to("../lib/there")
    repo.publish()


def into_submodule(repo: WorkRepo, path: str) -> None:
    remove(repo, path)
    repo.git("add", "-A")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{path}")
    repo.git("commit", "-q", "-m", "submodule")
    repo.push()


@pytest.mark.parametrize(("change", "kind"), [(into_link, "symbolic link"), (into_submodule, "submodule")])
@pytest.mark.parametrize(
    ("changed", "uids"),
    [
        ("dags/a.yaml", {"team/dags/a.yaml"}),
        ("dags/team", {"team/dags/team/b.yaml", "team/dags/team/deep/c.yaml"}),
        ("dags/team/deep", {"team/dags/team/deep/c.yaml"}),
    ],
)
def test_a_file_replaced_by_a_link_keeps_stale_dags_until_deleted(
    change: Change, kind: str, changed: str, uids: set[str], work_repo: WorkRepo, sync: Sync
) -> None:
    names = ("dags/a.yaml", "dags/team/b.yaml", "dags/team/deep/c.yaml", "dags/other.yaml")
    work_repo.publish({path: yaml_dag("x") for path in names})
    Repository.objects.update(subpath="dags")
    assert len(sync().created) == 4
    change(work_repo, changed)
    for attempt in range(2):  # the second time with nothing known of the first
        report = sync(full=attempt == 1)
        assert (report.state, report.reason, report.ok) == ("degraded", "files_failed", False)
        assert (report.pruned, set(report.stale)) == ((), uids)
        assert {f"team/{item.path}" for item in report.failed} == uids
        assert all(f"{changed} is now a {kind}" in item.message for item in report.failed)
    for dag in Dag.objects.filter(uid__in=uids):
        assert f"{changed} is now a {kind}" in (dag.stale_reason or "")
    assert Dag.objects.count() == 4
    # Put back, they are served again; deleted, they are gone.
    good = work_repo.git("rev-parse", "HEAD~1")
    work_repo.git("rm", "-rq", "--cached", changed)
    work_repo.git("checkout", "-qf", good, "--", changed)
    work_repo.publish()
    assert sync().state == "in_sync"
    assert not Dag.objects.filter(stale_since__isnull=False).exists()
    change(work_repo, changed)
    sync()
    work_repo.git("rm", "-rqf", changed)
    work_repo.publish()
    report = sync()
    assert (report.state, set(report.pruned)) == ("in_sync", uids)


def test_the_command_ends_with_1_and_names_the_files_behind_a_link(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    assert gitsync("--now", "--json").returncode == 0
    into_link(work_repo, "dags")
    for _ in range(2):
        done = gitsync("--now", "--json")
        (entry,) = json.loads(done.stdout)["repositories"]
        assert (done.returncode, entry["state"], entry["pruned"]) == (1, "degraded", [])
        (failed,) = entry["failed"]
        assert failed["path"] == "dags/a.yaml"
        assert "dags is now a symbolic link (dags -> ../lib/there)" in failed["message"]
        assert (entry["stale"], entry["ignored"]) == (["team/dags/a.yaml"], ["dags"])


def test_a_served_file_that_becomes_a_folder_or_is_excluded_is_pruned(
    work_repo: WorkRepo, sync: Sync
) -> None:
    """A folder is read completely, so the file is gone; an exclusion is meant."""
    work_repo.publish({path: yaml_dag("x") for path in ("a.yaml", "b.yaml", "team/c.yaml", "d.yaml")})
    sync()
    for path in ("a.yaml", "b.yaml", "team"):
        remove(work_repo, path)
    (work_repo.work / "b.yaml").symlink_to("d.yaml")
    work_repo.publish({"a.yaml/inner.yaml": yaml_dag("inner"), "team": "text\n", ".kiokignore": "b.yaml\n"})
    report = sync()
    assert (report.state, report.created) == ("in_sync", ("team/a.yaml/inner.yaml",))
    assert set(report.pruned) == {"team/a.yaml", "team/b.yaml", "team/team/c.yaml"}
    assert report.ignored == ("b.yaml",)


def test_links_to_folders_and_data_are_listed_and_named_in_the_error(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.write(
        {
            "lib/common/__init__.py": "X = 1\n",
            "lib/data.json": "{}\n",
            "dags/imports.py": "from kiok import Dag\nimport common\n",
            "dags/indirect.py": "from common.base import make\nd = make()\n",
            "dags/reads.py": "from kiok import Dag\nopen(__file__.replace('reads.py', 'data.json'))\n",
            "dags/vendored.py": "from kiok import Dag\nfrom vendor import x\n",
        }
    )
    (work_repo.work / "dags/common").symlink_to("../lib/common")
    (work_repo.work / "dags/data.json").symlink_to("../lib/data.json")
    work_repo.git("add", "-A")
    work_repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor")
    work_repo.git("commit", "-q", "-m", "links")
    work_repo.push()
    report = sync()
    assert (report.state, report.ok) == ("degraded", False)
    assert report.ignored == ("dags/common", "dags/data.json", "vendor")
    reasons = dict(SourceFile.objects.filter(state=FileState.IGNORED).values_list("path", "diagnostics"))
    assert reasons["dags/common"][0]["message"] == "ignored: symbolic link to ../lib/common"
    messages = {item.path: item.message for item in report.failed}
    link = "dags/common -> ../lib/common"
    hint = f"common is a symbolic link in the repository ({link}); links are not followed in the sandbox"
    assert hint in messages["dags/imports.py"]
    assert hint in messages["dags/indirect.py"], "what a link hides may have to do with kiok"
    assert (
        "data.json is a symbolic link in the repository (dags/data.json -> ../lib/data.json)"
        in messages["dags/reads.py"]
    )
    assert (
        "vendor is a submodule in the repository (vendor); submodules are not fetched"
        in messages["dags/vendored.py"]
    )
    # With the folder in the place of the link, the same file compiles again without being touched.
    remove(work_repo, "dags/common")
    work_repo.publish({"dags/common/__init__.py": "X = 1\n", "dags/common/base.py": "def make(): pass\n"})
    report = sync()
    assert {"dags/imports.py", "dags/indirect.py"}.isdisjoint({item.path for item in report.failed})


def test_endings_in_upper_case_are_read_like_the_others(work_repo: WorkRepo, sync: Sync) -> None:
    python = "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"
    work_repo.publish(
        {
            "UPPER.YAML": yaml_dag("u"),
            "Mixed.Yml": yaml_dag("m"),
            "LOWER.PY": python,
            "BAD.PY": "import kiok\n(",
        }
    )
    report = sync()
    assert report.created == ("team/LOWER.PY::d", "team/Mixed.Yml", "team/UPPER.YAML")
    assert [item.path for item in report.failed] == ["BAD.PY"]
    work_repo.publish({"UPPER.YAML": "dag: [", "LOWER.PY": "import nothing_like_it"})
    report = sync()
    assert report.pruned == ()
    assert report.stale == ("team/LOWER.PY::d", "team/UPPER.YAML")


def test_paths_of_more_than_1024_bytes_are_failed_files_with_the_figures(
    work_repo: WorkRepo, sync: Sync
) -> None:
    folder = "/".join(["d" * 200] * 6)
    blob = work_repo.git("hash-object", "-w", "--stdin", stdin=yaml_dag("a").encode())
    entries = {f"{folder}/{name}": blob for name in ("a.yaml", "b.yaml", "notes.txt")}
    index = "".join(f"100644 {blob}\t{path}\n" for path, blob in {**entries, "ok.yaml": blob}.items())
    work_repo.git("update-index", "--add", "--index-info", stdin=index.encode())
    work_repo.git("commit", "-q", "-m", "long")
    work_repo.push()
    report = sync()
    assert (report.state, report.ok, report.created) == ("degraded", False, ("team/ok.yaml",))
    assert sorted(item.path[-7:] for item in report.failed) == ["/a.yaml", "/b.yaml"]
    assert len({item.path for item in report.failed}) == 2
    for item in report.failed:
        assert (
            "its path has 1212 bytes, but at most 1024 are allowed (kiok.gitsync.max.path.bytes)"
            in item.message
        )
    assert SourceFile.objects.filter(state=FileState.FAILED).count() == 2
    # Again, and nothing else: the rows stay, whatever else changes.
    assert [item.path for item in sync(full=True).failed] == [item.path for item in report.failed]


def test_a_served_dag_whose_path_is_over_a_lower_limit_is_kept(
    work_repo: WorkRepo, sync: Sync, configure: Configure
) -> None:
    path = "d" * 60 + "/a.yaml"
    work_repo.publish({path: yaml_dag("a")})
    sync()
    configure(gitsync_max_path_bytes=64)
    report = sync()
    assert (report.state, report.pruned, report.stale) == ("degraded", (), (f"team/{path}",))
    assert [item.path for item in report.failed] == [path]
    assert "67 bytes, but at most 64 are allowed" in report.failed[0].message


def test_a_name_of_more_than_255_bytes_fails_no_other_python_file(work_repo: WorkRepo, sync: Sync) -> None:
    python = "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"
    blob = work_repo.git("hash-object", "-w", "--stdin", stdin=python.encode())
    names = ("n" * 300 + ".py", "n" * 300 + ".txt", "good.py")
    index = "".join(f"100644 {blob}\t{name}\n" for name in names)
    work_repo.git("update-index", "--add", "--index-info", stdin=index.encode())
    work_repo.git("commit", "-q", "-m", "long")
    work_repo.push()
    report = sync()
    assert report.created == ("team/good.py::d",)
    assert [(item.path, "has 303 bytes" in item.message) for item in report.failed] == [(names[0], True)]


def test_two_names_that_are_shown_alike_are_both_listed(work_repo: WorkRepo, sync: Sync) -> None:
    blob = work_repo.git("hash-object", "-w", "--stdin", stdin=yaml_dag("a").encode())
    names = (b"caf\xe9.yaml", b"caf\\xe9.yaml", b"x\xc2\x85.yaml", b"x\x85.yaml")
    listing = b"".join(b"100644 blob " + blob.encode() + b"\t" + name + b"\0" for name in sorted(names))
    tree = work_repo.git("mktree", "-z", stdin=listing)
    work_repo.push(f"{work_repo.git('commit-tree', '-m', 'alike', tree)}:refs/heads/main")
    report = sync()
    assert report.created == ("team/caf\\xe9.yaml",)
    assert {item.path for item in report.failed} == {"caf\\xe9.yaml [2]", "x\\u0085.yaml", "x\\x85.yaml"}


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_an_ignore_file_that_cannot_be_read_fails_the_repository(
    kind: str, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish(
        {"a.yaml": yaml_dag("a"), "drafts/b.yaml": yaml_dag("b"), ".kiokignore": "\ufeffdrafts/\n"}
    )
    done = gitsync("--now", "--json")
    (entry,) = json.loads(done.stdout)["repositories"]
    assert (done.returncode, entry["created"], entry["ignored"]) == (0, ["team/a.yaml"], ["drafts/b.yaml"])
    remove(work_repo, ".kiokignore")
    if kind == "link":
        (work_repo.work / ".kiokignore").symlink_to("patterns")
        work_repo.publish({"patterns": "a.yaml\n"})
    else:
        work_repo.publish({".kiokignore/patterns": "a.yaml\n"})
    done = gitsync("--now", "--json")
    (entry,) = json.loads(done.stdout)["repositories"]
    assert (done.returncode, entry["state"], entry["reason"]) == (1, "failing", "compile_failed")
    assert ".kiokignore cannot be read: it is a " in entry["message"]
    assert Dag.objects.count() == 1
