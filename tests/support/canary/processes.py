"""The command lines and environments of processes, which every user of the machine can read.

Two ways, since neither sees all: a watcher reads all of /proc over and over, and programs put before the real
ones on the PATH note their own command line and environment, however short they live.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

# Run apart: in the test's own process it would share one interpreter with the crawl.
WATCHER = """
import os, pickle, select, sys, time

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""

swept = int(sys.argv[1])
os.set_blocking(swept, False)
seen, sweeps = {}, 0
while True:
    began = time.monotonic()
    sweeps += 1
    for pid in filter(str.isdigit, os.listdir("/proc")):
        command, environment = read(f"/proc/{pid}/cmdline"), read(f"/proc/{pid}/environ")
        if (pid, command, environment) in seen:
            continue
        head, _, rest = read(f"/proc/{pid}/stat").rpartition(b")")
        name, fields = head.partition(b"(")[2].decode("utf-8", "replace"), rest.split()
        if fields:
            seen[pid, command, environment] = (name, int(fields[1]), int(fields[3]))
    try:
        os.write(swept, b".")
    except BlockingIOError:
        pass  # nobody has asked for a while
    # It takes an eighth of a processor, and leaves the rest to what it watches.
    if select.select([0], [], [], 7 * (time.monotonic() - began))[0]:
        break
pickle.dump((sweeps, [(int(p), c, e, *more) for (p, c, e), more in seen.items()]), sys.stdout.buffer)
"""


@dataclass(frozen=True)
class Sight:
    """A process at one moment. `parent` and `session` are process ids, 0 where it noted itself."""

    pid: int
    command: bytes
    environment: bytes
    name: str
    parent: int
    session: int

    def __str__(self) -> str:
        return f"{self.name} ({self.pid}, of session {self.session}): {self.command[:200]!r}"


class Watch:
    """Watches while the block runs; then `sights` has every process in each state seen."""

    def __init__(self) -> None:
        self.sights: list[Sight] = []
        self.sweeps = 0

    def __enter__(self) -> Watch:
        self._swept, swept = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", WATCHER, str(swept)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
            pass_fds=(swept,),
        )
        os.close(swept)
        return self

    def sees_all(self) -> None:
        """Wait until a sweep that began after this call is over: every process that lives on is seen."""
        os.set_blocking(self._swept, False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._swept, 1 << 16):
                pass
        os.set_blocking(self._swept, True)
        for _ in range(2):  # the first may have begun before
            if not os.read(self._swept, 1):
                raise AssertionError("the watcher has ended")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        output, _ = self._process.communicate(b"enough", timeout=600)
        os.close(self._swept)
        self.sweeps, rows = pickle.loads(output)
        self.sights = [Sight(*row) for row in rows]


class NotingPrograms:
    """Programs that note how they were called, then become the real ones. `directory` goes first on the PATH."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.directory, self.notes = root / "bin", root / "notes"
        for folder in (self.directory, self.notes):
            folder.mkdir(parents=True, mode=0o700)
        for name in names:
            real = shutil.which(name)
            assert real is not None, f"{name} is not installed"
            program = self.directory / name
            note = f'"{self.notes}/$$.{name}"'
            program.write_text(
                f"#!/bin/sh\ncat /proc/$$/environ > {note}.environ; cat /proc/$$/cmdline > {note}.cmdline\n"
                f'exec {real} "$@"\n'
            )
            program.chmod(0o700)

    def sights(self) -> list[Sight]:
        """Every call so far."""
        found = []
        for path in self.notes.glob("*.environ"):
            pid, name = path.name.removesuffix(".environ").split(".", 1)
            command = path.with_suffix(".cmdline")
            content = command.read_bytes() if command.exists() else b""
            found.append(Sight(int(pid), content, path.read_bytes(), name, 0, 0))
        return found
