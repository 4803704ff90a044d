"""Profile of a container: the driver and its children under cProfile, on five-task DAGs.

    python -m benchmarks.driver_profile [FILES] [LINES]

It starts one container of the Python image with the sandbox's request and one core, but with another entry point: a few
lines that profile the driver's modules. Each child passes its measurements through an open file, since its isolation leaves
it no other way. Times are CPU time, so waiting does not count and a busy machine changes little. Profiling makes small
functions seem more expensive than they are. Compare their order, and see the first table, which has the kernel's figures of
a run without a profile and includes starting and ending the children.
Times are milliseconds per file: `in all` includes the called functions, `itself` does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from subprocess import PIPE

from rich.console import Console
from rich.table import Table

from benchmarks import authored
from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxJob
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.source_tar import measure
from tests.support.trees import MemoryTree

IMAGE = os.environ.get("KIOK_IMAGE_PYTHON", "kiok-sandbox-python:dev")
WAIT_SECONDS = 60

_INSIDE = """
import cProfile, json, os, pstats, resource, sys, time
SPILL = 50
spill = os.open("/tmp/spill", os.O_RDWR | os.O_CREAT | os.O_APPEND)
os.unlink("/tmp/spill")
os.dup2(spill, SPILL)
closerange, leave = os.closerange, os._exit
PROFILED = sys.argv.pop() == "profiled"
profiler = cProfile.Profile(time.thread_time)

def keep_spill(low, high):
    closerange(low, SPILL)
    closerange(SPILL + 1, high)

def rows():
    profiler.disable()
    stats = pstats.Stats(profiler).stats
    return [["%s:%s" % (file.rpartition("/")[2], name), calls, own, all_]
            for (file, _, name), (calls, _, own, all_, _) in stats.items()]

def in_child():
    global profiler
    profiler.disable()

    def spilled(status):
        os.write(SPILL, json.dumps(rows()).encode() + b"\\n")
        leave(status)

    os._exit = spilled
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()

if PROFILED:
    os.closerange = keep_spill
    os.register_at_fork(after_in_child=in_child)
sys.path.insert(0, "/opt/kiok/driver")
from compilers.images.driver import driver
began = time.perf_counter()
if PROFILED:
    profiler.enable()
status = driver.main(sys.argv[1:])
whole = []
for what, who in (("user", "ru_utime"), ("system", "ru_stime")):
    usage = [getattr(resource.getrusage(of), who) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    whole.append(["(%s time)" % what, 0, 0, usage[0]])
    whole.append(["(%s time of all children)" % what, 0, 0, usage[1]])
whole.append(["(wall time)", 0, 0, time.perf_counter() - began])
parent = rows() if PROFILED else whole
os.lseek(SPILL, 0, 0)
with os.fdopen(SPILL) as spilled:
    children = {}
    for line in spilled:
        for name, calls, own, all_ in json.loads(line):
            row = children.setdefault(name, [name, 0, 0, 0])
            row[1:] = [row[1] + calls, row[2] + own, row[3] + all_]
sys.stderr.write(json.dumps({"driver": parent, "children": list(children.values())}))
sys.stderr.flush()
leave(status)
"""

Row = tuple[str, int, float, float]


def main(arguments: list[str]) -> int:
    files = int(arguments[0]) if arguments else 1000
    lines = int(arguments[1]) if arguments[1:] else 22
    console = Console(width=120)
    totals = _run(files, "plain")["driver"]
    console.print(_table(f"the kernel's account, {files} files", totals, files, lines))
    for side, rows in _run(files, "profiled").items():
        console.print(_table(f"{side}, {files} files", rows, files, lines))
    return 0


def _run(files: int, how: str) -> dict[str, list[Row]]:
    """Run one container and return the rows of the driver and of its children. Exit with its output if it failed."""
    with tempfile.TemporaryFile() as profile:
        container = subprocess.Popen(_command(how), stdin=PIPE, stdout=subprocess.DEVNULL, stderr=profile)
        assert container.stdin is not None
        container.stdin.write(_request(files))
        container.stdin.flush()
        # Its input stays open until it is done. The driver takes the end of its input as a lost client.
        status = container.wait()
        profile.seek(0)
        output = profile.read()
    if status or not output.startswith(b"{"):
        raise SystemExit(output.decode(errors="replace")[-3000:])
    found: dict[str, list[Row]] = json.loads(output)
    return found


def _command(how: str) -> list[str]:
    owned = "uid=20000,gid=20000,mode=0700"
    walls = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    walls += ["--user", "20000:20000", "--memory", "512m", "--cpus", "1", "--pids-limit", "64"]
    walls += ["--tmpfs", f"/src:size=64m,{owned}", "--tmpfs", f"/tmp:size=64m,{owned}"]
    python = ["--entrypoint", "/opt/kiok/bin/driver-python", IMAGE, "-I", "-B", "-c", _INSIDE]
    return ["docker", "run", "--rm", "-i", *walls, *python, PYTHON.name, str(WAIT_SECONDS), how]


def _request(files: int) -> bytes:
    """Return the request that the sandbox sends for such a tree."""
    tree = MemoryTree(dict(authored.python_files(files)))
    paths = [entry.path for entry in tree.entries]
    job = SandboxJob(language=PYTHON, files=paths, entries=tree.entries, tree=tree)
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: IMAGE}))
    return b"".join(sandbox._session._request(job, measure(tree.entries, sandbox.config.limits), 0))


def _table(title: str, rows: Iterable[Row], files: int, lines: int) -> Table:
    table = Table("function", title=title, title_justify="left", box=None)
    for column in ("calls a file", "itself, ms", "in all, ms"):
        table.add_column(column, justify="right")
    for name, calls, own, in_all in sorted(rows, key=lambda row: -row[3])[:lines]:
        figures = (f"{calls / files:.1f}", f"{own / files * 1000:.3f}", f"{in_all / files * 1000:.3f}")
        table.add_row(name, *figures)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
