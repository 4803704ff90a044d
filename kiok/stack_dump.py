"""Parser of `faulthandler` dumps, which show where a Python file was when it was stopped.

https://docs.python.org/3/library/faulthandler.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_FRAME = re.compile(
    r'^  File "(?P<file>[^"\n]*)", line (?P<line>\d{1,9}) in (?P<function>[^\n]*)$', re.MULTILINE
)
_HEADINGS = re.compile(
    r"^(?:(?:Current thread|Thread) 0x[^\n]*|Stack) \(most recent call first\):$", re.MULTILINE
)
_MAX_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Stopped:
    """The line at which a file was stopped (None if unknown), and the stack as text for a message."""

    line: int | None = None
    text: str = ""


def read_stack(dump: str, file: str, name: Callable[[str], str]) -> Stopped:
    """Read an untrusted dump. `file`: the path that the file was compiled under; `name`: returns a path for messages."""
    # faulthandler escapes non-ASCII characters.
    escaped = file.encode("ascii", "backslashreplace").decode()
    threads = [_frames(part) for part in _HEADINGS.split(dump)]
    # Prefer the thread that runs the module itself, the oldest and therefore the last; else any thread in the file.
    for frames in [
        *filter(lambda frames: (escaped, "<module>") in _places(frames), reversed(threads)),
        *threads,
    ]:
        lines = [line for found, line, _function in frames if found == escaped]
        if lines:
            return Stopped(lines[0], f"; it was at line {lines[0]}" + _trail(frames, escaped, name))
    return Stopped()


def _frames(part: str) -> list[tuple[str, int, str]]:
    """Return (file, line, function) of each frame, the innermost first."""
    return [(found["file"], int(found["line"]), found["function"]) for found in _FRAME.finditer(part)]


def _places(frames: list[tuple[str, int, str]]) -> set[tuple[str, str]]:
    return {(file, function) for file, _line, function in frames}


def _trail(frames: list[tuple[str, int, str]], file: str, name: Callable[[str], str]) -> str:
    """Return the frames from the module's own down to the innermost; "" if there is only one."""
    outermost = max(index for index, frame in enumerate(frames) if frame[0] == file)
    below = frames[: outermost + 1]
    if len(below) < 2:
        return ""
    shown = [frame for frame in reversed(below) if not frame[0].startswith("<frozen ")][:_MAX_FRAMES]
    return "".join(f"\n  at {name(path)[:100]}:{line} in {function[:60]}" for path, line, function in shown)
