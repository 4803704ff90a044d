"""10 000 YAML files: the first sync, a sync with nothing new, and the peak memory of the worker.

Floors: parsing the same bytes in one process with libyaml's loader, without checking and storing anything; the bare
`git ls-remote`; a worker that has done nothing yet. Memory is the peak of the worker (VmHWM), without git's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import yaml

from benchmarks import authored
from benchmarks.bench import OUTPUT, Bench
from benchmarks.case import Result, median
from benchmarks.floors import git as git_floor

NAME = "yaml"
FILES = 10_000
RUNS = 3
LOOKS = 20
MAX_COLD_RATIO = 4.0
MAX_MEMORY_RATIO = 2.0


def measure(bench: Bench) -> Iterator[Result]:
    files = bench.size(FILES)
    served = bench.serve()
    served.push(authored.yaml_files(files))
    colds, parses, peaks, idles = [], [], [], []
    for run in range(bench.runs(RUNS)):
        # Each run has its own worker, to measure its peak memory.
        with bench.worker() as worker:
            pk = worker.add("yaml", served.file_url)
            idles.append(worker.peak_memory_bytes() / 2**20)
            cold = worker.sync(pk)
            if cold.created != files:
                raise SystemExit(f"{cold.created} DAGs of {files} were registered")
            peaks.append(worker.peak_memory_bytes() / 2**20)
            if run == 0:
                worker.sync(pk)
                looks = [worker.sync(pk) for _ in range(bench.runs(LOOKS))]
                asks = [git_floor.ls_remote(served.file_url) for _ in looks]
                if bench.keep_profile:
                    worker.sync(worker.add("again", served.file_url), profile=OUTPUT / f"{NAME}.prof")
        colds.append(cold.seconds)
        parses.append(_parse_seconds(files))
        steps = ", ".join(f"{step} {took:.2f}" for step, took in cold.steps.items())
        bench.say(f"{files} YAML files in {cold.seconds:.2f} s ({steps}), {peaks[-1]:.0f} MiB")
    floor_is = "parsing the same bytes with libyaml's loader"
    what = f"{files} YAML files, fetch to committed"
    yield Result(NAME, what, median(colds), "s", median(parses), floor_is, MAX_COLD_RATIO, runs=len(colds))
    yield Result(
        NAME,
        "nothing changed, wall time",
        median([look.seconds for look in looks]) * 1000,
        "ms",
        median([ask.seconds for ask in asks]) * 1000,
        "one bare git ls-remote process",
        runs=len(looks),
    )
    floor_is = "a worker that has done nothing yet"
    yield Result(
        NAME,
        "peak memory of the worker",
        max(peaks),
        "MiB",
        median(idles),
        floor_is,
        MAX_MEMORY_RATIO,
        runs=len(peaks),
    )


def _parse_seconds(files: int) -> float:
    texts = [content for _, content in authored.yaml_files(files)]
    began = time.perf_counter()
    for text in texts:
        yaml.load(text, yaml.CSafeLoader)
    return time.perf_counter() - began
