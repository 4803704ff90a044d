"""Source and specs as HTML with syntax highlighting and line numbers that can be linked to.

The lexer only classifies pieces of text. The text itself is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String

from kiok.metadata.lexers import lexer_of
from kiok.text import reveal_hidden

# A longer text, or one with a longer line, is shown without colours. Measured: 50 000 characters of YAML take 0.3 s, and
# other languages take less.
MAX_COLOURED_CHARACTERS = 50_000
MAX_COLOURED_LINE = 5_000  # characters
# The rest of a longer text is omitted, with a note.
MAX_CHARACTERS = 1_000_000
MAX_LINES = 20_000

_CLASSES: tuple[tuple[Any, str], ...] = (
    (Comment, "comment"),
    (Name.Tag, "key"),
    (Name.Decorator, "decorator"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Name.Builtin, "builtin"),
    (Name.Exception, "builtin"),
    (Keyword, "keyword"),
    (String, "string"),
    (Number, "number"),
)


def numbered(text: str, ending: str) -> SafeString:
    """Return the text as a block of code; line 12 is `#L12`."""
    shown = "\n".join(reveal_hidden(text[:MAX_CHARACTERS]).split("\n")[:MAX_LINES])
    lines = list(_lines(shown, ending))
    rest = len(text) - len(shown)
    left_out = len(text) > MAX_CHARACTERS or text.count("\n") >= MAX_LINES
    # An f-string with escaped values: format_html for each of 40 000 lines takes seconds.
    block = "\n".join(
        f'<a id="L{number}" href="#L{number}" tabindex="-1" aria-label="line {number}"></a>{line}'
        for number, line in enumerate(lines, 1)
    )
    return format_html(
        '<pre class="kiok-text kiok-code" tabindex="0">{}</pre>{}',
        mark_safe(block),  # noqa: S308 - the lines are escaped
        format_html("<p>… and about {} more characters.</p>", rest) if left_out else "",
    )


def ending_of(path: str) -> str:
    """Return the extension, such as `py` for `dags/a.py`; empty if there is none."""
    name, dot, ending = path.rpartition(".")
    return ending.lower() if dot and name else ""


def _lines(text: str, ending: str) -> Iterator[SafeString]:
    lexer = lexer_of(f".{ending}")
    if not lexer or len(text) > MAX_COLOURED_CHARACTERS or _longest_line(text) > MAX_COLOURED_LINE:
        yield from map(SafeString, escape(text).split("\n"))
        return
    pieces: list[tuple[str, str]] = []
    for kind, value in get_lexer_by_name(lexer, ensurenl=False, stripnl=False).get_tokens(text):
        css = _class_of(kind)
        first, *others = value.split("\n")
        _append(pieces, css, first)
        for piece in others:
            yield _coloured(pieces)
            pieces = []
            _append(pieces, css, piece)
    yield _coloured(pieces)


def _append(pieces: list[tuple[str, str]], css: str, text: str) -> None:
    if pieces and pieces[-1][0] == css:
        pieces[-1] = (css, pieces[-1][1] + text)
    elif text:
        pieces.append((css, text))


def _coloured(pieces: list[tuple[str, str]]) -> SafeString:
    spans = (
        format_html('<span class="kiok-code-{}">{}</span>', css, text) if css else format_html("{}", text)
        for css, text in pieces
    )
    return format_html_join("", "{}", ((span,) for span in spans))


def _class_of(kind: Any) -> str:
    return next((css for known, css in _CLASSES if kind in known), "")


def _longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))
