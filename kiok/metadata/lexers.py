"""The Pygments lexers that highlight sources, by suffix. Apps register those of their files."""

from __future__ import annotations

_LEXERS = {".json": "json"}


def register(suffix: str, lexer: str) -> None:
    """Highlight files with this suffix, such as `.py`, with the Pygments lexer of this name."""
    _LEXERS[suffix] = lexer


def lexer_of(suffix: str) -> str:
    """Return the name of the Pygments lexer for files with this suffix, "" if there is none."""
    return _LEXERS.get(suffix, "")
