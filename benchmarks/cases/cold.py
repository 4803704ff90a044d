"""The first sync of a repository with 1 000 Python files, from its start to its end, with all DAGs committed.

Floor: the same number of child processes forked on the host, with the same parallelism as the containers. Each imports the
SDK and sends the same bytes through a pipe. The stricter floor imports the SDK before the fork. Neither fetches, isolates,
checks or stores anything. Also, in the same run and on the same PostgreSQL: Airflow's DAG processor with equivalent DAGs
(benchmarks/airflow.py). Of the two, only kiok isolates the files.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import airflow, authored
from benchmarks.bench import OUTPUT, Bench
from benchmarks.case import Result, median
from benchmarks.engine import await_ready
from benchmarks.floors import forks
from benchmarks.worker import Worker
from compilers.formats.python import PYTHON
from kiok.compile import compile_python_file

NAME = "cold"
FILES = 1000
RUNS = 3
MAX_TIMES_STRICT_FLOOR = 3.0
MIN_TIMES_AIRFLOW = 25.0
_FLOOR = "as many forks, each imports the SDK and sends the same bytes"
_STRICT_FLOOR = "as many forks with the SDK imported before, each sends the same bytes"


def measure(bench: Bench) -> Iterator[Result]:
    files = bench.size(FILES)
    served = bench.serve()
    served.push(authored.python_files(files))
    seconds, cpu, early = [], [], []
    with bench.worker() as worker:
        facts = worker.ask("facts")
        parallelism = max(1, facts["parallelism"])
        _warm_up(bench, worker)
        payload = _payload()
        for run in range(bench.runs(RUNS) + bench.keep_profile):
            profile = OUTPUT / f"{NAME}.prof" if bench.keep_profile and run == 0 else None
            await_ready(worker, PYTHON)
            measured = worker.sync(worker.add(f"cold-{run}", served.file_url), profile=profile)
            if measured.created != files:
                raise SystemExit(f"{measured.created} DAGs of {files} were registered")
            early.append(forks.seconds("early", payload, count=files, parallelism=parallelism))
            steps = ", ".join(f"{step} {took:.3f}" for step, took in measured.steps.items())
            if not profile:
                seconds.append(measured.seconds)
                cpu.append(measured.cpu_seconds + measured.children_cpu_seconds)
            bench.say(
                f"{files} Python files in {measured.seconds:.2f} s{' (profiled, not counted)' if profile else ''}: "
                f"{steps} (stricter floor {early[-1]:.2f})"
            )
        floor = forks.seconds("late", payload, count=files, parallelism=parallelism)
    runs = len(seconds)
    took, strict = median(seconds), median(early)
    what = f"{files} Python files, fetch to committed"
    yield Result(NAME, what, took, "s", floor, f"{_FLOOR}, {parallelism} at a time", runs=runs)
    target = MAX_TIMES_STRICT_FLOOR
    yield Result(NAME, "  against the stricter floor", took, "s", strict, _STRICT_FLOOR, target, runs=runs)
    yield Result(NAME, "  CPU of worker and git, the containers' apart", median(cpu), "s", runs=runs)
    if bench.with_airflow:
        yield from _beside_airflow(bench, files, files / took)


def _warm_up(bench: Bench, worker: Worker) -> None:
    """Run one small sync that is not counted, to warm up connections, the engine's caches and the image."""
    small = bench.serve()
    small.push(authored.python_files(10))
    worker.sync(worker.add("warm-up", small.file_url))


def _payload() -> bytes:
    """Return the result that the sandbox sends for one of the files."""
    with tempfile.TemporaryDirectory() as folder:
        path, content = next(authored.python_files(1, first=500))
        file = Path(folder) / Path(path).name
        file.write_bytes(content)
        compiled = compile_python_file(file)
    if not compiled.dags:
        raise SystemExit(f"the benchmark's own DAG does not compile: {compiled.diagnostics}")
    return json.dumps(compiled.to_json(), separators=(",", ":")).encode()


def _beside_airflow(bench: Bench, files: int, ours: float) -> Iterator[Result]:
    theirs = airflow.measure(bench, files)
    yield Result(NAME, "throughput, ours (isolated)", ours, "DAGs/s")
    what = f"throughput, Airflow {airflow.VERSION} (not isolated)"
    yield Result(NAME, f"{what}, from its start", theirs.throughput, "DAGs/s")
    yield Result(NAME, f"{what}, first to last DAG", theirs.parsing_throughput, "DAGs/s")
    what = "  ours by Airflow's, first to last DAG"
    yield Result(NAME, what, ours / theirs.parsing_throughput, "×", target=MIN_TIMES_AIRFLOW, at_least=True)
