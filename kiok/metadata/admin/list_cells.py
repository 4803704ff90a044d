"""Cells of the admin's lists: each has at most two lines, and on a phone the label of its column.

Django renders a cell as `<td class="field-name">...</td>`: without a label, and without an element that CSS could limit.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.html import escape, format_html, strip_tags
from django.utils.safestring import SafeString

LONG_TEXT_CHARACTERS = 12  # a longer text can be cut in a narrow column, so it is also a title
MAX_TITLE_CHARACTERS = 1000
SHOWN_END_CHARACTERS = 20  # of a path: CSS cuts the middle, before its end
_BETWEEN_LINES = '</span> <span class="kiok-one kiok-quiet"'  # in `two_lines`
_TAG = re.compile(r"<[^>]*>")  # in HTML that is made here, whose attributes are escaped
_CELL = re.compile(r"<(t[dh])((?: [a-z-]+=\"[^\"]*\")*)>(.*)</t[dh]>\s*", re.DOTALL)


def labelled(results: Iterable[Any], headers: Iterable[dict[str, Any]]) -> Iterator[list[SafeString]]:
    """Yield the cells of each row, with the text of its column's header as `data-label`."""
    labels = [_label(str(header["text"])) for header in headers]
    for row in results:
        yield [_labelled(str(cell), label) for cell, label in zip(row, labels, strict=False)]


def two_lines(first: str, second: str, title: str = "") -> SafeString:
    """Return a cell of two lines, the second in grey. Both have their text as a title, since a narrow column cuts them.

    `title` replaces the second line's text.
    """
    return format_html(
        '<span class="kiok-one" title="{}">{}</span> <span class="kiok-one kiok-quiet" title="{}">{}</span>',
        *(_text(first), first, title or _text(second), second),
    )


def path_line(*parts: str) -> SafeString:
    """Return parts such as a repository and a path as one line, of which a narrow column cuts the middle."""
    text = " · ".join(part for part in parts if part)
    return format_html(
        '<span class="kiok-start">{}</span><span class="kiok-end">{}</span>',
        *(text[:-SHOWN_END_CHARACTERS], text[-SHOWN_END_CHARACTERS:]),
    )


def dag_cell(repository: str, path: str, name: str) -> SafeString:
    """Return a DAG's name with its repository and path below."""
    return two_lines(name, path_line(repository, path), "/".join(filter(None, (repository, path))))


def dag_cell_of_uid(uid: str) -> SafeString:
    """Return the cell of a DAG that may not be registered any more, from its uid."""
    place, _, dag_id = uid.partition("::")
    repository, _, path = place.partition("/")
    return dag_cell(repository, path, dag_id or path.rpartition("/")[2] or uid)


def _label(header: str) -> str:
    """Return the text of a header; none for the column of check boxes."""
    text = strip_tags(header).strip()
    return text[:1].upper() + text[1:]


def _labelled(cell: str, label: str) -> SafeString:
    found = _CELL.fullmatch(cell)
    if found is None or not label:
        return SafeString(cell)
    tag, attributes, content = found.groups()
    content = _linked_by_first_line(content)
    text = _text(SafeString(content)) if "title=" not in content else ""
    title = f' title="{escape(text)}"' if len(text) > LONG_TEXT_CHARACTERS else ""
    # The content is what Django rendered, so it is escaped.
    return SafeString(
        f'<{tag}{attributes} data-label="{escape(label)}"><div class="kiok-cell"{title}>{content}</div></{tag}>'
    )


def _linked_by_first_line(content: str) -> str:
    """Return a cell that Django made a link with only its first line as the link, so that the link has a short name."""
    first, between, second = content.partition(_BETWEEN_LINES)
    if not (between and content.startswith("<a ") and content.endswith("</a>")):
        return content
    return f"{first}</span></a> {_BETWEEN_LINES.removeprefix('</span> ')}{second.removesuffix('</a>')}"


def _text(content: str) -> str:
    """Return the text of HTML, or of plain text, on one line."""
    plain = html.unescape(_TAG.sub("", content)) if isinstance(content, SafeString) else content
    return " ".join(plain.split())[:MAX_TITLE_CHARACTERS]
