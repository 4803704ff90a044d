"""Airflow on the same work: its DAG processor, on the same git server and PostgreSQL, with equivalent DAGs in its SDK.

It has its own virtual environment under build/bench/airflow, created once. The configuration is a `GitDagBundle` that is
always refreshed, two parsing processes and one run. The processor forks a process for each file, with its own user and
network, so it does not isolate files, while kiok compiles them in a container. The result is checked by the rows of
`serialized_dag`, since the exit status of the processor is 0 even if it could not clone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import authored
from benchmarks.bench import OUTPUT, Bench

VERSION = "3.3.2"
PACKAGES = (
    f"apache-airflow-core=={VERSION}",
    "apache-airflow-task-sdk==1.3.2",
    "apache-airflow-providers-git==1.0.1",
    "apache-airflow-providers-standard==1.21.0",
    "psycopg2-binary==2.9.13",
    "asyncpg==0.32.0",
)
PROCESSES = 2
HOME = OUTPUT / "airflow"
_BUNDLE = "bench"
_MAX_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Run:
    """A run of Airflow.

    `seconds` are from the start of the program to its last row, `parsing_seconds` from its first row to its last. The
    latter exclude what happens before the first DAG is stored: the interpreter, the imports and the clone.
    """

    dags: int
    seconds: float
    parsing_seconds: float

    @property
    def throughput(self) -> float:
        """Return the DAGs per second over the whole run."""
        return self.dags / self.seconds

    @property
    def parsing_throughput(self) -> float:
        """Return the DAGs per second after the first row, which does not count since it starts the clock."""
        return (self.dags - 1) / self.parsing_seconds


def measure(bench: Bench, files: int) -> Run:
    """Run Airflow once on a new database. Exit with its log if a DAG is missing."""
    _install(bench)
    served = bench.serve()
    served.push(authored.airflow_files(files))
    database = bench.new_database()
    home = bench.folder / "airflow"
    environment = _environment(bench, database, home, served.file_url)
    log = bench.folder / "airflow.log"
    with log.open("wb") as output:
        _run([str(HOME / "bin" / "airflow"), "db", "migrate"], environment, output, log)
        bench.say(f"Airflow {VERSION} starts with {files} files")
        began = time.time()
        processor = subprocess.Popen(
            [str(HOME / "bin" / "airflow"), "dag-processor", "--num-runs", "1", "--bundle-name", _BUNDLE],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            with bench.connect(database) as connection:
                _await(bench, connection, processor, files, began)
                return _read(connection, files, began, log)
        finally:
            processor.kill()
            processor.wait()


def _install(bench: Bench) -> None:
    """Create an environment with exactly these packages, unless it exists."""
    stamp = HOME / "bench.stamp"
    wanted = hashlib.sha256("\n".join((*PACKAGES, sys.version)).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    bench.say(f"installing Airflow {VERSION} into its own environment (once)")
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"Airflow could not be installed. To skip it, use --without-airflow:\n{done.stderr[-3000:]}"
        )
    stamp.write_text(wanted)


def _environment(bench: Bench, database: str, home: Path, url: str) -> dict[str, str]:
    bundle = {
        "name": _BUNDLE,
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"repo_url": url, "tracking_ref": "main", "subdir": "dags", "refresh_interval": 0},
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "TZ") if name in os.environ}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": bench.database_url(database, "postgresql+psycopg2"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": str(PROCESSES),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _run(command: list[str], environment: dict[str, str], output: object, log: Path) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,  # type: ignore[call-overload]
        stderr=output,  # type: ignore[call-overload]
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"Airflow failed: {' '.join(command[1:])}:\n{log.read_text()[-3000:]}")


def _await(
    bench: Bench,
    connection: psycopg.Connection[tuple[object, ...]],
    processor: subprocess.Popen[bytes],
    files: int,
    began: float,
) -> None:
    """Wait until all DAGs are stored or the program ends. The rows have the times, so polling may be slow."""
    told = time.monotonic()
    while _stored(connection) < files and processor.poll() is None:
        if time.time() - began > _MAX_SECONDS:
            return
        time.sleep(0.5)
        if time.monotonic() - told > 15:
            told = time.monotonic()
            bench.say(f"Airflow: {_stored(connection)} of {files} after {time.time() - began:.0f} s")


def _stored(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    [[count]] = connection.execute("SELECT count(*) FROM serialized_dag").fetchall()
    return int(str(count))


def _read(connection: psycopg.Connection[tuple[object, ...]], files: int, began: float, log: Path) -> Run:
    query = "SELECT count(*), extract(epoch FROM min(created_at)), extract(epoch FROM max(created_at)) FROM serialized_dag"
    [[count, first, last]] = connection.execute(query).fetchall()
    if count != files:
        raise SystemExit(
            f"Airflow stored {count} of {files} DAGs. End of its log:\n{log.read_text()[-4000:]}"
        )
    return Run(files, float(str(last)) - began, float(str(last)) - float(str(first)))
