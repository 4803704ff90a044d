"""Output of this project's management commands, with control characters escaped for the operator's terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

from kiok.text import terminal_text

_OURS = ("kiok.", "gitsync.")


def is_ours(module: object) -> bool:
    """Return whether a module or app is of this project."""
    return isinstance(module, str) and f"{module}.".startswith(_OURS)


class PrintableOutput(OutputWrapper):
    """A command's output stream that escapes control characters before it applies the command's style."""

    def write(  # type: ignore[override]  # the signature of OutputWrapper, which the stubs type differently
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        super().write(terminal_text(msg), style_func, ending)


def make_printable(command: BaseCommand) -> None:
    """Make a command of this project write through `PrintableOutput`.

    Commands of other packages, and commands that extend one, style parts of a text themselves and stay unchanged.
    """
    bases = type(command).__mro__[: -len(BaseCommand.__mro__)]
    if not all(is_ours(base.__module__) for base in bases):
        return
    for name in ("stdout", "stderr"):
        stream: OutputWrapper = getattr(command, name)
        out: Any = stream._out  # a stream, although the stubs do not say so
        printable = PrintableOutput(out, ending=stream.ending)
        printable.style_func = stream.style_func
        setattr(command, name, printable)
