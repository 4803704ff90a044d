"""`make demo`: follow commits from a push to the metadata store, and check every claim.

    demo.py [FOLDER]        the working folder, .kiok/demo by default; it is recreated each time

Each sync runs the real `manage.py gitsync --now` in its own process, and the results are read from the metadata store. The
first claim that does not hold ends the demo with status 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from stage import ROOT, DemoFailed, check, command, console, shown, step

sys.path.insert(0, str(ROOT))

from kiok.server import embedded
from kiok.server.errors import ConfigurationError, DatabaseUnavailable

if TYPE_CHECKING:
    from gitsync.models import SyncRun

HOME = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".kiok" / "demo"
DATA = HOME / "data"
WORK = HOME / "dags"
REMOTE = HOME / "dags.git"
CONFIG = HOME / "kiok.properties"

NAME = "examples"
HOURLY = f"{NAME}/dags/hourly_report.yaml"
WAREHOUSE = f"{NAME}/dags/warehouse.yaml"
REGIONAL = f"{NAME}/dags/regional.py::regional"
JAR = "dags/nightly.jar"
FORMATS = {".yaml": "YAML", ".yml": "YAML", ".py": "Python", ".jar": "Java"}

# Prefixes of variables that are removed: the demo must not depend on settings of the machine or the user.
OURS = ("KIOK_", "DATABASE_URL", "DJANGO_", "GIT_")
GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(*words: str) -> str:
    """Run git in the author's clone."""
    return command("git", *words, folder=WORK, show=False)


def push(message: str) -> str:
    """Commit everything in the author's clone, push it, and return the commit id."""
    git("add", "--all")
    git("commit", "--quiet", "--message", message)
    git("push", "--quiet", "origin", "main")
    for line in git("show", "--stat=70", "--format=%h %s", "HEAD").splitlines():
        if line.strip():
            console.print(f"   [dim]{escape(line.strip())}[/]")
    return git("rev-parse", "HEAD").strip()


def sync(*, expect: int = 0) -> SyncRun:
    """Run `manage.py gitsync --now` and return the record of that sync."""
    from gitsync.models import SyncRun

    command(sys.executable, "manage.py", "gitsync", "--now", "--config", str(CONFIG), expect=expect)
    return SyncRun.objects.latest("id")


def show_dags() -> None:
    """Print the DAGs of the metadata store as a table."""
    from kiok.metadata.models import Dag

    table = Table(
        title="Registered DAGs",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("uid", no_wrap=True)
    for column in ("format", "schedule", "ver", "state"):
        table.add_column(column)
    for dag in Dag.objects.all():
        table.add_row(
            escape(dag.uid),
            FORMATS[Path(dag.source_path).suffix],
            dag.schedule or "manual",
            str(dag.version),
            "[yellow]Stale[/]" if dag.stale_since else "[green]Current[/]",
        )
    console.print(table, soft_wrap=False)


def prepare() -> None:
    """Create an empty folder with a database and the configuration."""
    step("An empty metadata store: PostgreSQL, embedded in this checkout")
    _reset()
    CONFIG.write_text(
        "# Written by `make demo`.\n"
        f"kiok.base.data.dir = {DATA}\n"
        f"kiok.gitsync.repos = {NAME}|{REMOTE.as_uri()}|main|\n"
        "# A local repository needs file. The default allows only https and ssh.\n"
        "kiok.gitsync.allow.protocols = https, ssh, file\n"
        "kiok.gitsync.interval.ms = 2000\n",
        encoding="utf-8",
    )
    os.environ["KIOK_CONFIG"] = str(CONFIG)
    os.environ["DJANGO_SETTINGS_MODULE"] = "kiok.server.settings"
    embedded.ensure(DATA)
    import django

    django.setup()
    command(sys.executable, "manage.py", "migrate", "--verbosity", "0", "--config", str(CONFIG))
    from kiok.metadata.models import Dag

    check("the metadata store is up and contains no DAG", Dag.objects.count() == 0)


def _reset() -> None:
    if DATA.exists():
        try:
            embedded.ensure(DATA)
            stopped = embedded.release(DATA)
        except DatabaseUnavailable:
            stopped = True  # broken by an aborted demo, and deleted below
        if not stopped:
            raise DemoFailed(f"another process uses {shown(DATA)}, perhaps `make run`. Stop it first")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    HOME.mkdir(mode=0o700)


def make_repository(builder: dict[str, str]) -> None:
    """Create a git repository with a remote from examples/ and a compiled jar. `builder`: the compiler's environment."""
    step(
        "A team's DAG repository: examples/, with its Java DAGs compiled into a jar, pushed to a bare repository"
    )
    shutil.copytree(ROOT / "examples", WORK, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    subprocess.run(
        [ROOT / "scripts" / "jar.sh", WORK / "jar-src", WORK / JAR],
        env=builder,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    command("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(REMOTE), show=False)
    git("init", "--quiet", "--initial-branch", "main")
    git("remote", "add", "origin", REMOTE.as_uri())
    push("DAGs in YAML, Python and Java")
    check("the jar is in the repository", JAR in git("ls-files").splitlines())


def first_sync() -> None:
    """Sync the push, and check that DAGs of all three formats are registered."""
    from gitsync.models import SourceFile
    from kiok.metadata.models import Dag

    step("Sync: the push becomes registered DAGs")
    run = sync()
    show_dags()
    dags = list(Dag.objects.all())
    formats = {FORMATS[Path(dag.source_path).suffix] for dag in dags}
    check("DAGs of all three formats are registered", formats == {"YAML", "Python", "Java"}, formats)
    check(
        "each at version 1, from the pushed commit",
        {(d.version, d.commit_sha) for d in dags} == {(1, run.to_commit)},
    )
    loads = [task["id"] for task in Dag.objects.get(uid=REGIONAL).spec["tasks"]]
    check("the Python DAG has a task for each region of the module it imports", "load_apac" in loads, loads)
    python_and_java = [dag for dag in dags if not dag.source_path.endswith(".yaml")]
    check(
        "Python and Java were compiled in containers, and their images are recorded",
        all(d.image_digest for d in python_and_java),
    )
    others = set(SourceFile.objects.filter(state="not_a_dag").values_list("path", flat=True))
    wanted = {".github/workflows/check.yml", "lib/regions.py", "tools/count_lines.py"}
    check(
        "a CI workflow and two Python modules are listed as 'not a DAG', which is not an error",
        others == wanted,
        others,
    )
    ignored = set(SourceFile.objects.filter(state="ignored").values_list("path", flat=True))
    check("the draft that .kiokignore names is ignored", ignored == {"drafts/someday.yaml"}, ignored)

    step("Sync again: nothing changed, nothing to do")
    again = sync()
    check(
        "no sync was needed: one poll of the remote, no container, no new version",
        again.pk == run.pk,
        again.pk,
    )


def record_run() -> int:
    """Record a run of the DAG that will be deleted, like an executor does, and return its id."""
    from django.utils import timezone

    from kiok.metadata.models import Dag, DagRun, TaskRun

    step("A run of `regional` is recorded")
    dag, now = Dag.objects.get(uid=REGIONAL), timezone.now()
    run = DagRun.objects.create(
        uid=dag.uid, version=dag.version, trigger="manual", state="SUCCESS", started_at=now, finished_at=now
    )
    TaskRun.objects.bulk_create(
        TaskRun(dag_run=run, uid=dag.uid, task_id=task["id"], state="SUCCESS", exit_code=0)
        for task in dag.spec["tasks"]
    )
    check(
        f"run {run.pk} of version {run.version} has {run.task_runs.count()} task runs", run.task_runs.exists()
    )
    return run.pk


def change(before: str) -> None:
    """Edit one DAG, delete one and break one: updated, pruned, stale."""
    from kiok.metadata.models import Dag, DagRun

    step("Ada edits one DAG, deletes one, breaks one (a typo: `require`), and pushes")
    _replace("dags/hourly_report.yaml", 'schedule: "5 * * * *"', 'schedule: "10 * * * *"')
    (WORK / "dags/regional.py").unlink()
    _replace("dags/warehouse.yaml", "requires: [stage]", "require: [stage]")
    commit = push("Report later; drop regional; rework the warehouse load")

    step("Sync: updated, pruned, and stale with the error (exit status 1: a file failed)")
    run = sync(expect=1)
    show_dags()
    hourly, warehouse = Dag.objects.get(uid=HOURLY), Dag.objects.get(uid=WAREHOUSE)
    check(
        "the edited DAG is version 2, at the new commit", (hourly.version, hourly.commit_sha) == (2, commit)
    )
    check("... and has its new schedule", hourly.schedule == "10 * * * *", hourly.schedule)
    check("the deleted DAG is pruned", not Dag.objects.filter(uid=REGIONAL).exists())
    check("... and its run is still there", DagRun.objects.filter(uid=REGIONAL).count() == 1)
    check(
        "the broken DAG keeps its last good version", (warehouse.version, warehouse.commit_sha) == (1, before)
    )
    check("... marked stale, with the error", bool(warehouse.stale_since and warehouse.stale_reason))
    console.print(f"     [yellow]{escape(warehouse.stale_reason or '')}[/]")
    check(
        "the error suggests the right name",
        "requires" in (warehouse.stale_reason or ""),
        warehouse.stale_reason,
    )
    wanted = {"created": [], "updated": [HOURLY], "pruned": [REGIONAL], "stale": [WAREHOUSE]}
    check("nothing else changed", run.changes == wanted, run.changes)


def bring_back(run_id: int) -> None:
    """Restore the deleted DAG, with its history and its next version, and fix the broken one."""
    from kiok.metadata.models import Dag, DagRun, DagVersion

    step("Ada restores the deleted DAG, fixes the broken one, and pushes")
    git("checkout", "--quiet", "HEAD~1", "--", "dags/regional.py", "dags/warehouse.yaml")
    push("Restore regional; fix the warehouse load")

    step("Sync: the DAG is back, and its history continues")
    sync()
    show_dags()
    dag = Dag.objects.get(uid=REGIONAL)
    check("the DAG is back under the same uid, as its next version, 2", dag.version == 2, dag.version)
    versions = list(
        DagVersion.objects.filter(uid=REGIONAL).order_by("version").values_list("version", flat=True)
    )
    check("both of its versions are recorded", versions == [1, 2], versions)
    run = DagRun.objects.filter(uid=dag.uid).first()
    check(
        f"run {run_id}, from before it was deleted, is among its runs", run is not None and run.pk == run_id
    )
    warehouse = Dag.objects.get(uid=WAREHOUSE)
    check("the fixed DAG is no longer stale", warehouse.stale_since is None and not warehouse.stale_reason)
    check("... and still version 1: nothing in it changed", warehouse.version == 1, warehouse.version)


def _replace(path: str, old: str, new: str) -> None:
    text = (WORK / path).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise DemoFailed(f"examples/{path} must contain {old!r} exactly once, since the demo edits that line")
    (WORK / path).write_text(text.replace(old, new), encoding="utf-8")


def tell() -> None:
    """Run all steps of the demo, starting with an empty store."""
    builder = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ.update(GIT_ENVIRONMENT)
    if not console.is_terminal:
        os.environ.setdefault("COLUMNS", "120")  # in a log, 80 columns are assumed, too few for the tables
    prepare()
    make_repository(builder)
    first_sync()
    run_id = record_run()
    change(before=git("rev-parse", "HEAD").strip())
    bring_back(run_id)


def main() -> int:
    started = time.monotonic()
    try:
        tell()
    except (DemoFailed, ConfigurationError, subprocess.CalledProcessError) as exc:
        console.print(f"\n[bold red]The demo failed.[/] {escape(str(exc))}")
        return 1
    console.print(f"\n[bold green]All of it held.[/] ({time.monotonic() - started:.0f} s)\n")
    with_config = f" CONFIG={shown(CONFIG)}"
    console.print("See the result in the admin (the address and a password are printed, Ctrl-C stops it):\n")
    console.print(f"    make run{with_config}    with this demo's repository: push to it and watch")
    console.print("    make run" + " " * (len(with_config) + 4) + "with an empty store of your own\n")
    console.print(f"The author's clone is {shown(WORK)}. To deploy a DAG, run `git push` there.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
