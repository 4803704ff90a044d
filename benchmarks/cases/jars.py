"""The first sync of 100 jars, from its start to its end, with all DAGs committed.

Floor: the same number of bare JVMs, each of which loads the class of one jar, runs an empty `main` and exits. They run in
one container of the same image, with the same JVM options and cores, and with the same parallelism as the containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median
from benchmarks.engine import await_ready
from benchmarks.floors import jvms
from compilers.formats.jar import JAVA

NAME = "jars"
JARS = 100
RUNS = 5
MAX_RATIO = 1.0


def measure(bench: Bench) -> Iterator[Result]:
    count = bench.size(JARS)
    jars = list(authored.jar_files(count))
    served = bench.serve()
    served.push(jars)
    seconds, floors = [], []
    with bench.worker() as worker:
        parallelism = max(1, worker.ask("facts")["parallelism"])
        small = bench.serve()
        small.push(jars[:2])
        worker.sync(worker.add("warm-up", small.file_url))
        for run in range(bench.runs(RUNS)):
            await_ready(worker, JAVA)
            measured = worker.sync(worker.add(f"jars-{run}", served.file_url))
            if measured.created != count:
                raise SystemExit(f"{measured.created} DAGs of {count} were registered")
            seconds.append(measured.seconds)
            floors.append(jvms.seconds(jars, parallelism=parallelism))
            bench.say(f"{count} jars in {seconds[-1]:.2f} s, floor {floors[-1]:.2f} s")
    floor_is = f"as many bare JVMs that load the jar, {parallelism} at a time"
    yield Result(
        NAME,
        f"{count} jars, fetch to committed",
        median(seconds),
        "s",
        median(floors),
        floor_is,
        MAX_RATIO,
        runs=len(seconds),
    )
