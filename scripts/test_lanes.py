"""Runs every test in lanes side by side, and says at the end what failed in any.

    test_lanes.py [ARGUMENT FOR PYTEST...]      for example -k "leader and not frozen", or tests/unit/test_plan.py

A lane is a pytest with a data folder and a PostgreSQL of its own (tests/support/environment.py); lanes share the Docker
engine and the processors, nothing else. What the first lane says is shown as it comes, what the others say after that. Each
leads a process group, so that a Ctrl-C reaches this process alone, which passes it on to all, once. There are more lanes
than processors, since most tests wait for much of their time. Where paths are given, only these run, each in the lane
that it belongs to; lanes without any are not started.

Ends with status 0 if all is well, 1 if not, 4 for a path that does not exist or has no lane, 5 if the arguments select
no test at all.
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


def _integration(*names: str) -> tuple[str, ...]:
    return tuple("tests/integration/{}/test_{}.py".format(*name.split("/")) for name in names)


# Those that wait for most of their time stand beside what computes, so that each lane takes about as long.
WITH_SANDBOX = _integration(
    *("sync/hundred_repositories", "cluster/leader", "repositories/pause", "cluster/workers"),
    *(
        "connections/connections_keys",
        "worker/poller",
        "sync/sync_content",
        "sync/sync_pauses",
        "sync/sync_recovery",
    ),
)
WITH_BROWSER = _integration(
    *(
        "admin/access",
        "admin/admin_parameters",
        "admin/admin_permissions",
        "admin/admin_scale",
        "api/api_property",
        "server/canary",
        "server/embedded",
    ),
    *(
        "management/gitsync_command",
        "notifications/notifications",
        "repositories/connection_test",
        "worker/several_machines",
        "sync/sync_progress",
    ),
)
WITH_STACK = _integration(
    *(
        "queue/fair_workers",
        "sync/sync_fencing",
        "git/git_faults",
        "git/git_force_pushes",
        "sync/killed_sync",
        "worker/killed_workers",
        "server/restore",
    ),
    *("server/slow_clients", "server/soak", "sync/stateful", "server/upgrade", "sync/crash_loop"),
)
_ELSEWHERE = WITH_SANDBOX + WITH_BROWSER + WITH_STACK
LANES = {
    "integration": ("tests/integration", *(f"--ignore={path}" for path in _ELSEWHERE)),
    "sandbox": ("tests/unit", *WITH_SANDBOX, "tests/sandbox"),
    "browser": (*WITH_BROWSER, "tests/browser"),
    "stack": ("tests/stack", "tests/faults", *WITH_STACK),
}
# Chromium gives up its requests when an interface of its network comes or goes, as those of containers do in other lanes.
ISOLATED = frozenset({"browser"})
_OWN_NETWORK = ("unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
BUILD = Path("build")
NOTHING_SELECTED = 5  # pytest's
USAGE_ERROR = 4  # pytest's
_IGNORE = "--ignore="
_WITH_VALUE = frozenset(
    {"-k", "-m", "-p", "-o", "-c", "-W"}
)  # pytest's options whose value is the next argument
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Lane:
    """A pytest under way."""

    name: str
    results: Path
    log: Path | None  # None: its output is ours
    began: float
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, arguments: Sequence[str], *, log: Path | None) -> Lane:
        results = BUILD / f"test-results-{name}.xml"
        results.unlink(missing_ok=True)
        # -u: what is in a file can be followed. A cache each, since the last to end overwrites it.
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
        """As Ctrl-C does: pytest then takes down what its tests have set up, and reports what there is."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Show what it says until it ends; its status."""
        if self.log:
            sys.stdout.write(f"\ntest: what the lane {self.name} says\n")
            sys.stdout.flush()  # before what goes past the text layer
            with self.log.open("rb") as file:
                ended = False
                while not ended:
                    ended = self.process.poll() is not None
                    while said := file.read(1 << 16):
                        sys.stdout.buffer.write(said)
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
    """Return what of a path the lane runs: the path, what the lane has inside of it, or nothing."""
    file, colons, test = path.partition("::")
    place = Path(os.path.relpath(file))
    owned = [item for item in lane if not item.startswith(_IGNORE)]
    if any(place.is_relative_to(item.removeprefix(_IGNORE)) for item in lane if item.startswith(_IGNORE)):
        return []
    if any(place.is_relative_to(item) for item in owned):
        return [f"{place}{colons}{test}"]
    return [item for item in owned if Path(item).is_relative_to(place)]


def lanes_for(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the arguments of each lane that has any of the paths; of all lanes where there is no path.

    Raises ValueError for a path that does not exist or that no lane has.
    """
    if not paths:
        return {name: list(lane) for name, lane in LANES.items()}
    found: dict[str, list[str]] = {}
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise ValueError(f"{path}: no such file or folder")
        parts = {name: part for name, lane in LANES.items() if (part := selected(lane, path))}
        if not parts:
            raise ValueError(f"{path}: no lane runs it; see LANES in scripts/test_lanes.py")
        for name, part in parts.items():
            found.setdefault(name, []).extend(part)
    return {
        name: [*dict.fromkeys(part), *(item for item in LANES[name] if item.startswith(_IGNORE))]
        for name, part in found.items()
    }


def run(arguments: Sequence[str]) -> int:
    """Run the lanes with these arguments; the exit status."""
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
        f"test: {len(chosen)} lane{'s' if len(chosen) != 1 else ''}, {', '.join(chosen)}; "
        f"first what {next(iter(chosen))} says\n"
    )
    sys.stdout.flush()
    try:
        for name, part in chosen.items():
            if not stopped:
                log = BUILD / f"test-{name}.log" if lanes else None
                lanes.append(Lane.start(name, [*part, *others], log=log))
        statuses = [lane.finish() for lane in lanes]
    finally:
        for lane in lanes:
            lane.interrupt()
            lane.process.wait()
    return judge(lanes, statuses, complete=not arguments and not stopped)


def judge(lanes: Sequence[Lane], statuses: Sequence[int], *, complete: bool) -> int:
    """Say what failed; the exit status. A lane of which the arguments select nothing is no failure."""
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
        sys.stdout.write(f"test: the lane {lane.name} ended with status {status}\n")
    for line in found:
        sys.stdout.write(f"test: {line}\n")
    return 1 if found or any(status not in (0, NOTHING_SELECTED) for status in statuses) else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
