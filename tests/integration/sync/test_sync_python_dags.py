"""Python files whose DAGs could disappear or appear twice: real git, real containers, real PostgreSQL."""

from __future__ import annotations

import pytest

from gitsync.models import FileState, Repository, SourceFile, SyncRun
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "from kiok import Dag\n"
TASK = "dag.task('a', script='s')\n"
GOOD = HEADER + "dag = Dag('d')\n" + TASK
BASE = HEADER + "dag = Dag('x', schedule='0 3 * * *')\n" + TASK

# Changes that remove a file's DAG without a sign of intention: (new text, line, message).
LOSSES: dict[str, tuple[str | bytes, int | None, str]] = {
    "in a list": (
        HEADER + "dags = [Dag('d')]\n",
        2,
        "1 DAG was created, none is assigned to a module-level name",
    ),
    "in a loop": (
        HEADER + "for name in ('d', 'e'):\n    dag = Dag(name)\n    dag.task('a', script='s')\n",
        3,
        "2 DAGs were created, 1 is assigned to a module-level name",
    ),
    "in a function": (
        HEADER + "def f():\n    dag = Dag('d')\nf()\n",
        3,
        "1 DAG was created, none is assigned",
    ),
    "in a function that is not called": (
        HEADER + "def f():\n    dag = Dag('d')\n",
        3,
        "it imports Dag (line 1) but creates no DAG: the call in line 3 is in 'f', which was not called",
    ),
    "under the main guard": (
        HEADER + "if __name__ == '__main__':\n    dag = Dag('d')\n",
        3,
        "it imports Dag (line 1) but creates no DAG: the call in line 3 is under `if __name__",
    ),
    "under a condition": (
        HEADER + "if False:\n    dag = Dag('d')\n",
        3,
        "the call in line 3 was not reached",
    ),
    "through a helper": (
        "from factory import make\nif False:\n    dag = make('d')\n",
        None,
        "it imports factory.py, which imports Dag, but creates no DAG",
    ),
    "UTF-16": (
        GOOD.encode("utf-16"),
        None,
        "the file is in UTF-16, which Python does not read: save it as UTF-8",
    ),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), None, "the file is in UTF-16"),
    "UTF-32": (GOOD.encode("utf-32-be"), None, "the file is in UTF-32"),
    "Latin-1": ((GOOD + "# é\n").encode("latin-1"), 4, "the file is not in UTF-8 (byte 0xe9)"),
    "a NUL byte": (GOOD.encode() + b"\0", 4, "the file contains a NUL byte"),
    "sys.exit": (HEADER + "import sys\nsys.exit()\n" + GOOD, 3, "it called sys.exit in line 3 (SystemExit)"),
    "a variable": (
        HEADER + "import os\ndag = Dag(os.environ['NAME'])\n" + TASK,
        3,
        "the sandbox has none of your environment variables",
    ),
    "the working directory": (
        HEADER + "dag = Dag(open('name').read())\n" + TASK,
        2,
        "the working directory in the sandbox is /",
    ),
    "the network": (
        HEADER + "import urllib.request as u\ndag = Dag(u.urlopen('http://example.com').read())\n" + TASK,
        3,
        "the sandbox has no network",
    ),
    "a later version": (HEADER + "type N = str\ndag = Dag('d')\n" + TASK, 2, "the sandbox runs Python 3."),
}


def test_no_dag_is_pruned_while_its_file_looks_like_one(work_repo: WorkRepo, sync: Sync) -> None:
    """Each loss keeps the last good DAG, names the file, its line and the reason, and fails the repository."""
    paths = {name: f"{number:02}.py" for number, name in enumerate(LOSSES)}
    factory = HEADER + "def make(name):\n    return Dag(name)\n"
    work_repo.publish({"factory.py": factory, **dict.fromkeys(paths.values(), GOOD)})
    first = sync()
    assert (first.state, first.not_a_dag) == ("in_sync", ("factory.py",))
    assert len(first.created) == len(LOSSES)

    work_repo.publish({paths[name]: text for name, (text, _, _) in LOSSES.items()})
    report = sync()
    stale = {uid.partition("::")[0].removeprefix("team/") for uid in report.stale}
    failed = {item.path: item for item in report.failed}
    assert (report.state, report.pruned) == ("degraded", ())
    assert stale == set(paths.values())
    for name, (_, line, output) in LOSSES.items():
        item = failed.pop(paths[name])
        assert output in item.message, name
        assert item.line == line, name
    assert failed == {}
    assert said_of("team/00.py::d").startswith("00.py:2: 1 DAG was created, none is assigned")

    # Nothing changes while nobody changes the files, and all recover.
    work_repo.publish({"note.txt": "x"})
    again = sync()
    assert (again.state, again.pruned, len(again.stale)) == ("degraded", (), len(LOSSES))
    work_repo.publish(dict.fromkeys(paths.values(), GOOD))
    report = sync()
    assert (report.state, report.stale, report.failed) == ("in_sync", (), ())


def said_of(uid: str) -> str:
    return Dag.objects.get(uid=uid).stale_reason or ""


def test_new_files_that_lose_their_dags_fail_and_others_are_listed(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish(
        {
            "lost.py": HEADER + "dags = [Dag('d')]\n",
            "wide.py": GOOD.encode("utf-16-le"),
            "guard.py": HEADER + "if __name__ == '__main__':\n    dag = Dag('d')\n",
            "tool.py": "x = 1\n",
            "wide_tool.py": "x = 1\n".encode("utf-16"),
        }
    )
    report = sync()
    assert (report.state, report.created) == ("degraded", ())
    assert {item.path for item in report.failed} == {"lost.py", "wide.py"}
    assert report.not_a_dag == ("guard.py", "tool.py", "wide_tool.py")
    reasons = {row.path: row.diagnostics[0]["message"] for row in SourceFile.objects.all()}
    assert "is under `if __name__" in reasons["guard.py"]
    assert reasons["tool.py"] == "it does not import kiok"
    assert reasons["wide_tool.py"].startswith("the file is in UTF-16")


def test_a_dag_that_is_removed_for_good_is_pruned(work_repo: WorkRepo, sync: Sync) -> None:
    """Return the proofs of intention: the file is removed, is ignored, or no longer mentions Dag."""
    work_repo.publish({f"{name}.py": GOOD for name in ("gone", "ignored", "emptied", "kept")})
    assert len(sync().created) == 4
    work_repo.git("rm", "-q", "gone.py")
    work_repo.publish({".kiokignore": "/ignored.py\n", "emptied.py": "X = 1\n"})
    report = sync()
    assert (report.state, report.stale, report.failed) == ("in_sync", (), ())
    names = ("emptied", "gone", "ignored")
    assert sorted(report.pruned) == [f"team/{name}.py::d" for name in names]


def test_an_imported_dag_is_registered_once_under_the_file_that_created_it(
    work_repo: WorkRepo, sync: Sync
) -> None:
    own = "own = Dag('own')\nown.task('a', script='s')\n"
    work_repo.publish(
        {
            "base.py": BASE,
            "star.py": "from base import *\n",
            "name.py": "from base import dag\n",
            "both.py": HEADER + "from base import dag\n" + own,
            "sub/deep.py": "from star import dag\n",
        }
    )
    report = sync()
    assert (report.state, report.failed) == ("in_sync", ())
    assert report.created == ("team/base.py::x", "team/both.py::own")
    assert report.not_a_dag == ("name.py", "star.py", "sub/deep.py")
    rows = {row.path: row for row in SourceFile.objects.all()}
    for path in ("name.py", "star.py", "sub/deep.py", "both.py"):
        assert [item["message"] for item in rows[path].diagnostics] == ["imports 1 DAG of base.py"]

    # Nothing is compiled for nothing, and a change of the creator is its own.
    work_repo.publish({"note.txt": "x"})
    assert (sync().state, SyncRun.objects.order_by("-pk")[0].compiled) == ("in_sync", 0)
    work_repo.publish({"base.py": BASE + "dag.task('b', script='s')\n"})
    report = sync()
    assert (report.updated, report.created, report.pruned) == (("team/base.py::x",), (), ())


def test_a_duplicate_that_an_earlier_version_registered_is_pruned(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"base.py": BASE, "name.py": BASE})
    assert sync().created == ("team/base.py::x", "team/name.py::x")
    work_repo.publish({"name.py": "from base import dag\n"})
    report = sync()
    assert (report.state, report.pruned, report.stale) == ("in_sync", ("team/name.py::x",), ())


def test_a_dag_of_a_file_that_is_no_source_stays_with_its_importer(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    """Outside the synced folder, or excluded: nothing else would register it."""
    repository.subpath = "dags"
    repository.save()
    files = {"lib/base.py": BASE, "dags/name.py": "from lib.base import dag\n"}
    work_repo.publish(files)
    report = sync()
    assert (report.created, report.failed) == (("team/dags/name.py::x",), ())

    # Both are sources now.
    repository.subpath = ""
    repository.save()
    report = sync()
    assert (report.state, report.created, report.pruned) == (
        "in_sync",
        ("team/lib/base.py::x",),
        ("team/dags/name.py::x",),
    )
    # And the creator is none again, though neither file has changed.
    work_repo.publish({".kiokignore": "/lib/\n"})
    report = sync()
    assert (report.state, report.created, report.pruned) == (
        "in_sync",
        ("team/dags/name.py::x",),
        ("team/lib/base.py::x",),
    )


def test_a_dag_that_the_importing_file_changes_is_not_taken_from_it(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish(
        {
            "base.py": BASE,
            "changes.py": "from base import dag\ndag.task('more', script='s')\n",
            "template.py": HEADER + "import os\ndag = Dag(os.environ.get('NAME', 'none'))\n" + TASK,
            "sets.py": "import os\nos.environ['NAME'] = 'set'\nfrom template import dag\n",
        }
    )
    report = sync()
    assert (report.state, report.failed) == ("in_sync", ())
    expected = ("base.py::x", "changes.py::x", "sets.py::set", "template.py::none")
    assert report.created == tuple(f"team/{uid}" for uid in expected)
    # Its creator is not compiled now: of that, only what the store has is known.
    work_repo.publish(
        {"sets.py": "import os\nos.environ['NAME'] = 'set'\nfrom template import dag  # again\n"}
    )
    report = sync()
    assert (report.state, report.pruned, report.unchanged) == ("in_sync", (), 4)
    assert [row.path for row in SourceFile.objects.order_by("path") if row.traced_accesses == "*"] == [
        "changes.py",
        "sets.py",
    ]
    assert SyncRun.objects.order_by("-pk")[0].compiled == 2


def test_a_served_duplicate_stays_while_its_creator_fails(work_repo: WorkRepo, sync: Sync) -> None:
    """A DAG that an earlier version registered twice stays until its creator is known to define it."""
    reads = "import os\n" + BASE.replace("'x'", "os.environ['NAME']")
    work_repo.publish({"base.py": BASE, "name.py": BASE})
    sync()
    work_repo.publish(
        {"base.py": reads, "name.py": "import os\nos.environ['NAME'] = 'x'\nfrom base import dag\n"}
    )
    report = sync()
    assert (report.state, report.pruned) == ("degraded", ())
    assert report.stale == ("team/base.py::x", "team/name.py::x")
    assert SourceFile.objects.get(path="name.py").state == FileState.FAILED
    work_repo.publish({"base.py": BASE})
    report = sync()
    assert (report.state, report.stale, report.pruned) == ("in_sync", (), ("team/name.py::x",))
