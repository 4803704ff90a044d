"""The Pygments lexers that highlight sources, by suffix. The app that knows the formats registers theirs."""

from __future__ import annotations

from collections.abc import Callable

_OWN = {".json": "json"}


def _no_lexer(_suffix: str) -> str:
    return ""


_find: Callable[[str], str] = _no_lexer


def find_with(find: Callable[[str], str]) -> None:
    """Have `find` return the Pygments lexer for files with a suffix, such as `.py`; "" for none."""
    global _find
    _find = find


def lexer_of(suffix: str) -> str:
    """Return the name of the Pygments lexer for files with this suffix, "" if there is none."""
    return _OWN.get(suffix) or _find(suffix)
