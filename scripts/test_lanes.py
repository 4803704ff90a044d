"""Run the tests, and list at the end what failed.

    test_lanes.py [ARGUMENT FOR PYTEST...]      for example -k "leader and not frozen", or tests/unit/test_plan.py

Without a path it runs the whole suite in two lanes at the same time: the tests of pages, whose browser has a network of its
own, and all others, spread over processes by pytest-xdist. Each process has a data folder and a PostgreSQL of its own
(tests/support/environment.py); they share the Docker engine and the processors. With paths, exactly these tests run, each
lane in one process. The output of the first lane is shown as it comes, the output of the others after it. Each lane leads
a process group, so that a Ctrl-C reaches this process alone, which passes it on to all, once.

Ends with status 0 if no test failed or was skipped, 1 otherwise, 4 for a path that does not exist or has no lane, 5 if the
arguments select no test at all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from test_results import problems

SUITES = ("unit", "integration", "sandbox", "browser", "faults", "stack")


LANES = {
    "main": ("tests/unit", "tests/integration", "tests/sandbox", "tests/faults", "tests/stack"),
    "browser": ("tests/browser",),
}
# Of the whole suite. Most tests wait for most of their time, so there are more processes than processors. pytest-xdist
# gives each process a file when it has ended one; tests/conftest.py puts the files first that take the longest.
PROCESSES = 4
_XDIST = ("-n", str(PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder")
# Chromium gives up its requests when an interface of its network comes or goes, as those of containers do in other lanes.
ISOLATED = frozenset({"browser"})
_OWN_NETWORK = ("unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
BUILD = Path("build")
NOTHING_SELECTED = 5  # pytest's
USAGE_ERROR = 4  # pytest's
_WITH_VALUE = frozenset(
    {"-k", "-m", "-p", "-o", "-c", "-W"}
)  # options of pytest whose value is the next argument
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Lane:
    """A running pytest process."""

    name: str
    results: Path
    log: Path | None  # None: it writes to this process's output
    began: float
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, arguments: Sequence[str], *, log: Path | None) -> Lane:
        results = BUILD / f"test-results-{name}.xml"
        results.unlink(missing_ok=True)
        # -u: unbuffered, so that its file can be followed. Each lane has its own cache, or the last one would overwrite it.
        command = [sys.executable, "-u", "-m", "pytest", f"--junit-xml={results}"]
        command += ["-o", f"cache_dir=.pytest_cache/{name}", *arguments]
        if name in ISOLATED and os.geteuid() == 0:  # only root may create a network
            command = [*_OWN_NETWORK, *command]
        with (log or Path(os.devnull)).open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file if log else None,
                stderr=subprocess.STDOUT if log else None,
                process_group=0,
            )
        return cls(name, results, log, time.monotonic(), process)

    def interrupt(self) -> None:
        """Interrupt pytest like Ctrl-C, so that it tears down its tests and reports the results so far."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Print its output until it ends, and return its exit status."""
        if self.log:
            sys.stdout.write(f"\ntest: output of lane {self.name}\n")
            sys.stdout.flush()  # before the bytes written directly to the buffer
            with self.log.open("rb") as file:
                ended = False
                while not ended:
                    ended = self.process.poll() is not None
                    while output := file.read(1 << 16):
                        sys.stdout.buffer.write(output)
                    sys.stdout.flush()
                    if not ended:
                        time.sleep(0.2)
        return self.process.wait()


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments into paths (of files, folders or single tests) and all others."""
    paths, others = [], []
    is_value = False
    for argument in arguments:
        file = argument.partition("::")[0]
        is_path = "/" in file or file.endswith(".py") or Path(file).exists()
        if is_path and not is_value and not argument.startswith("-"):
            paths.append(argument)
        else:
            others.append(argument)
        is_value = argument in _WITH_VALUE
    return paths, others


def selected(lane: Sequence[str], path: str) -> list[str]:
    """Return the part of a path that the lane runs: the path itself, the lane's items below it, or nothing."""
    file, colons, test = path.partition("::")
    place = Path(os.path.relpath(file))
    if any(place.is_relative_to(item) for item in lane):
        return [f"{place}{colons}{test}"]
    return [item for item in lane if Path(item).is_relative_to(place)]


def lanes_for(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the arguments of each lane that has one of the paths, or those of all lanes without paths.

    Raises ValueError for a path that does not exist or has no lane.
    """
    if not paths:
        return {name: list(lane) for name, lane in LANES.items()}
    found: dict[str, list[str]] = {}
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise ValueError(f"{path}: no such file or folder")
        parts = {name: part for name, lane in LANES.items() if (part := selected(lane, path))}
        if not parts:
            raise ValueError(f"{path}: no lane runs it. See LANES in scripts/test_lanes.py")
        for name, part in parts.items():
            found.setdefault(name, []).extend(part)
    return {name: [*dict.fromkeys(part)] for name, part in found.items()}


def run(arguments: Sequence[str]) -> int:
    """Run the lanes with these arguments and return the exit status."""
    paths, others = split_arguments(arguments)
    try:
        chosen = lanes_for(paths)
    except ValueError as error:
        sys.stderr.write(f"test: {error}\n")
        return USAGE_ERROR
    BUILD.mkdir(exist_ok=True)
    lanes: list[Lane] = []
    stopped: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        for lane in lanes:
            lane.interrupt()

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    sys.stdout.write(
        f"test: {len(chosen)} lane{'s' if len(chosen) != 1 else ''}, {', '.join(chosen)}. "
        f"Output of {next(iter(chosen))} first\n"
    )
    sys.stdout.flush()
    try:
        for name, part in chosen.items():
            if not stopped:
                log = BUILD / f"test-{name}.log" if lanes else None
                spread = _XDIST if name == "main" and not paths else ()
                lanes.append(Lane.start(name, [*part, *spread, *others], log=log))
        statuses = [lane.finish() for lane in lanes]
    finally:
        for lane in lanes:
            lane.interrupt()
            lane.process.wait()
    return judge(lanes, statuses, complete=not arguments and not stopped)


def judge(lanes: Sequence[Lane], statuses: Sequence[int], *, complete: bool) -> int:
    """Print the failures and return the exit status. A lane without selected tests is not a failure."""
    if set(statuses) == {NOTHING_SELECTED}:
        return NOTHING_SELECTED
    ran = [
        lane for lane, status in zip(lanes, statuses, strict=True) if complete or status != NOTHING_SELECTED
    ]
    found = problems(
        [lane.results for lane in ran], [f"tests.{suite}" for suite in SUITES] if complete else []
    )
    sys.stdout.write("\n")
    for lane, status in zip(lanes, statuses, strict=True):
        sys.stdout.write(f"test: lane {lane.name} ended with status {status}\n")
    for line in found:
        sys.stdout.write(f"test: {line}\n")
    return 1 if found or any(status not in (0, NOTHING_SELECTED) for status in statuses) else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
