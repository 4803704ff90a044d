"""Location of a call in an author's code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_OWN = Path(__file__).parent.as_posix() + "/"
_compiling: list[str] = []


@dataclass(frozen=True, slots=True)
class CallSite:
    """Location of a call: its `file` and `line`, and the line of the compiled file that led to it.

    `line_in_file` is None if no file is being compiled, or the call came from outside it.
    """

    file: str
    line: int
    line_in_file: int | None


def call_site() -> CallSite:
    """Return the location of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.replace("\\", "/").startswith(_OWN) and frame.f_back is not None:
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    line_in_file = None
    if _compiling:
        outer = frame
        while outer.f_code.co_filename != _compiling[-1] and outer.f_back is not None:
            outer = outer.f_back
        if outer.f_code.co_filename == _compiling[-1]:
            line_in_file = outer.f_lineno
    return CallSite(file, line, line_in_file)


@contextmanager
def compiling(file: str) -> Iterator[None]:
    """Locate calls also in `file` while the block runs; it is the name that its code was compiled under."""
    _compiling.append(file)
    try:
        yield
    finally:
        _compiling.pop()
