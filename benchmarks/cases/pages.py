"""Every admin page with 10 000 DAGs, 1 000 repositories, and 50 000 syncs, files and deliveries.

It measures the service's code in one process, without a network. All pages are printed, and the slowest ones are reported
as figures. The peer is the median page: a page that takes much longer than the others does something that they do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import ROOT, Bench
from benchmarks.case import Result, median

NAME = "pages"
RUNS = 5
TOLD = 5
MAX_RATIO = 2.0


def measure(bench: Bench) -> Iterator[Result]:
    runs = bench.runs(RUNS)
    environment = bench.environment(bench.new_database("bench_template"))
    command = [sys.executable, "-m", "benchmarks.asking", "20" if bench.quick else "1", str(runs)]
    process = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    pages = json.loads(process.stdout.splitlines()[-1])
    pages = sorted((page for page in pages if page["status"] == 200), key=lambda page: -median(page["ms"]))
    for page in pages:
        bench.say(f"{median(page['ms']):7.1f} ms  {page['page']}")
    middle = median([median(page["ms"]) for page in pages])
    for page in pages[:TOLD]:
        taken = median(page["ms"])
        yield Result(NAME, page["page"], taken, "ms", middle, "the median page", MAX_RATIO, runs=runs)
