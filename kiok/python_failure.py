"""Explanation for the author of why a Python file could not be run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from kiok.errors import Diagnostic
from kiok.python_module import ModuleLocation
from kiok.text import storable

# Returns how the environment of the file caused its exception, "" if it did not.
Explain: TypeAlias = Callable[[BaseException, TracebackType | None, ModuleLocation], str]

_OWN = Path(__file__).parent.as_posix() + "/"
_MAX_MESSAGE = 3_000
_MAX_FRAMES = 8
_MAX_HINT = 600
# Python's messages for a module in UTF-16, which begins with a byte order mark or has many NUL bytes.
_WIDE = re.compile(r"cannot contain null bytes|can't decode byte 0xf[ef] in position 0\b")
_NO_EXIT = (
    "a DAG file must run to its end, since it is imported: remove the call, "
    'or put it under `if __name__ == "__main__":`'
)


def describe(
    exc: BaseException, traceback: TracebackType | None, place: ModuleLocation, explain: Explain | None = None
) -> Diagnostic:
    """Return why the module could not be run, with the line of the innermost frame inside its file.

    Never raises, even if the exception's own methods do.
    """
    try:
        kind = str.__str__(type.__getattribute__(type(exc), "__qualname__"))
    except BaseException:  # noqa: BLE001 - a metaclass may run any code; then the name is unknown
        kind = "an exception"
    try:
        # Cut before any other copy is made: it may take most of the memory.
        text = str.__str__(str(exc))[: _MAX_MESSAGE + 1]
    except BaseException as second:  # noqa: BLE001 - __str__ may run any code; then only its exception is known
        text = f"(its text is not available: {type.__getattribute__(type(second), '__name__')})"
    frames = _frames(traceback)
    inside = [line for file, line, _function in frames if file == place.file]
    line, column = (inside[-1] if inside else None), None
    if type(exc) in (SyntaxError, IndentationError, TabError) and isinstance(exc, SyntaxError):
        text = str(exc.msg)
        if exc.filename == place.file:
            line, column = exc.lineno or line, exc.offset
        elif isinstance(exc.filename, str):
            text = f"{text} ({place.name(exc.filename)}, line {exc.lineno})"
    if issubclass(type(exc), SyntaxError | ValueError) and _WIDE.search(text):
        text += " (a module that is imported here may be in UTF-16: save it as UTF-8)"
    raised = f"{kind}: {text}" if text else kind
    if issubclass(type(exc), SystemExit):
        raised = f"{_exit_message(frames, place)} ({raised}); {_NO_EXIT}"
    message = f"the module cannot be imported: {raised}"
    if issubclass(type(exc), ModuleNotFoundError):
        message += " (looked in the standard library, the repository's import folders, installed packages)"
    hint = _hint(exc, traceback, place, explain)
    message = storable(message, _MAX_MESSAGE) + hint + _trail(frames, place)
    return Diagnostic(message, place.file, _positive(line), _positive(column))


def _exit_message(frames: list[tuple[str, int, str]], place: ModuleLocation) -> str:
    if not frames:
        return "it called sys.exit"
    file, line, _function = frames[-1]
    where = f"line {line}" if file == place.file else f"{place.name(file)}:{line}"
    return f"it called sys.exit in {storable(where, 300)}"


def _hint(
    exc: BaseException, traceback: TracebackType | None, place: ModuleLocation, explain: Explain | None
) -> str:
    if explain is None:
        return ""
    try:
        text = explain(exc, traceback, place)
    except BaseException:  # noqa: BLE001 - reading an author's exception may run any code
        return ""
    return f" ({storable(text, _MAX_HINT)})" if text else ""


def _positive(number: object) -> int | None:
    return number if isinstance(number, int) and number > 0 else None


def _frames(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    """Return (file, line, function), outermost first, without Python's import machinery and this package."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = code.co_filename
        if not file.startswith("<frozen ") and not Path(file).as_posix().startswith(_OWN):
            frames.append((file, traceback.tb_lineno or 0, code.co_name))
        traceback = traceback.tb_next
    return frames


def _trail(frames: list[tuple[str, int, str]], place: ModuleLocation) -> str:
    """Return the frames as lines of text, shortened; "" for a single frame, which the diagnostic's own line covers."""
    if len(frames) < 2:
        return ""
    lines = [f"\n  at {place.name(file)}:{line} in {function}" for file, line, function in frames]
    if len(lines) > _MAX_FRAMES:
        half = _MAX_FRAMES // 2
        lines = [*lines[:half], f"\n  ... {len(lines) - 2 * half} more", *lines[-half:]]
    return storable("".join(line[:160] for line in lines), 1_000)
