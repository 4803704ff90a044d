"""The running commands, as every user of the machine can see them."""

from __future__ import annotations

import threading
from pathlib import Path


def command_lines() -> list[str]:
    """The command line of every process on the machine."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # it has ended
            continue
    return lines


def watch_process_list(done: threading.Event, seen: list[str]) -> None:
    """Collect every distinct command line on the machine until `done`."""
    known: set[str] = set()
    while not done.is_set():
        new = [line for line in command_lines() if line not in known]
        known.update(new)
        seen.extend(new)


def group_members(group: int) -> list[int]:
    """The living (not zombie) processes of a process group."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in (b"Z", b"X"):
            members.append(int(path.parent.name))
    return members
