"""A two-column diff as HTML: changes marked by sign and colour, unchanged lines folded.

The styles are in `kiok/dag.css`, which a page with a diff must include in its media.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice, zip_longest

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kiok.text import reveal_hidden

CONTEXT_LINES = 3
MAX_CHARACTERS = 4_000_000  # per text; a longer text is not compared
# Lines between the first and the last change; in more lines no matches are searched. Measured: 0.4 s at most.
MAX_MATCHED_LINES = 3_000
MAX_ROWS = 1_500
MAX_LINE_CHARACTERS = 1_000  # shown per line
MARKING_BUDGET = 400_000  # word comparisons over all lines; measured: 0.3 s at most

_SAME = SafeString('<p class="kiok-same">No difference.</p>')
_SAME_BUT_LINE_ENDS = SafeString('<p class="kiok-same">Only line endings differ.</p>')
_NO_LINE = SafeString('<td class="kiok-number"></td><td class="kiok-none"></td>')
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_MIN_LIKENESS = 0.35  # less similar lines count as new lines, in which no words are marked


@dataclass(frozen=True, slots=True)
class _Cell:
    """A side of a row; `pieces` are (changed, text). Number 0: there is no line on this side."""

    number: int = 0
    pieces: tuple[tuple[bool, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line on each side; if `folded` is not 0, the number of folded unchanged lines."""

    before: _Cell = _Cell()
    after: _Cell = _Cell()
    changed: bool = False
    folded: int = 0


@dataclass(slots=True)
class _Budget:
    left: int = field(default=MARKING_BUDGET)


def table(before: str, after: str, *, labels: tuple[str, str], name: str = "") -> SafeString:
    """Return the diff as a table with `labels` above its sides, or a sentence if there is none. Takes a second at most.

    `name` distinguishes it from other tables on the same page.

    Only changes and the lines around them are shown, 1 500 lines at most.
    """
    if max(len(before), len(after)) > MAX_CHARACTERS:
        return too_long(len(before), len(after))
    if before == after:
        return _SAME
    before, after = reveal_hidden(before), reveal_hidden(after)
    if before == after:
        return _SAME_BUT_LINE_ENDS
    rows = list(islice(_rows(before, after), MAX_ROWS + 1))
    cut = len(rows) > MAX_ROWS
    return format_html(
        '<div class="kiok-wide" role="region" tabindex="0" aria-label="{4}{0} compared with {1}">'
        '<table class="kiok-diff">'
        '<colgroup><col class="kiok-number"><col><col class="kiok-number"><col></colgroup><thead><tr>'
        '<th scope="col" colspan="2">{0}</th><th scope="col" colspan="2">{1}</th>'
        "</tr></thead><tbody>{2}</tbody></table></div>{3}",
        *labels,
        format_html_join("", "{}", ((_row_html(row),) for row in rows[:MAX_ROWS])),
        format_html("<p>Only the first {} rows are shown.</p>", MAX_ROWS) if cut else "",
        f"{name}: " if name else "",
    )


def too_long(before: int, after: int) -> SafeString:
    """Return the message for two texts that are too long to compare."""
    return format_html(
        '<p class="kiok-same">Too long to be compared here: {} and {} characters.</p>', before, after
    )


def _rows(before: str, after: str) -> Iterator[_Row]:
    old, new = before.split("\n"), after.split("\n")
    budget = _Budget()
    opcodes = _opcodes(old, new)
    last = len(opcodes) - 1
    for place, (tag, i1, i2, j1, j2) in enumerate(opcodes):
        if tag != "equal":
            yield from _changed(old, new, (i1, i2, j1, j2), budget)
            continue
        head = 0 if place == 0 else CONTEXT_LINES
        tail = 0 if place == last else CONTEXT_LINES
        folded = i2 - i1 - head - tail
        if folded <= 1:  # folding one line saves nothing
            yield from _same(old, i1, i2, j1)
        else:
            yield from _same(old, i1, i1 + head, j1)
            yield _Row(folded=folded)
            yield from _same(old, i2 - tail, i2, j2 - tail)


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """Return difflib opcodes. Equal lines at both ends are found first, which is fast and often sufficient."""
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    end = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    i2, j2 = len(old) - end, len(new) - end
    if max(i2, j2) - start > MAX_MATCHED_LINES:
        middle = [("replace", 0, i2 - start, 0, j2 - start)]
    else:
        middle = SequenceMatcher(None, old[start:i2], new[start:j2]).get_opcodes()  # type: ignore[assignment]
    codes = [("equal", 0, start, 0, start)] if start else []
    codes += [(tag, a + start, b + start, c + start, d + start) for tag, a, b, c, d in middle]
    return codes + ([("equal", i2, len(old), j2, len(new))] if end else [])


def _same(old: Sequence[str], first: int, end: int, first_after: int) -> Iterator[_Row]:
    for place in range(first, end):
        pieces = ((False, _cut(old[place])),)
        yield _Row(_Cell(place + 1, pieces), _Cell(first_after + place - first + 1, pieces))


def _changed(
    old: Sequence[str], new: Sequence[str], places: tuple[int, int, int, int], budget: _Budget
) -> Iterator[_Row]:
    i1, i2, j1, j2 = places
    for i, j in zip_longest(range(i1, i2), range(j1, j2)):
        if i is None:
            yield _Row(after=_Cell(j + 1, ((False, _cut(new[j])),)), changed=True)
        elif j is None:
            yield _Row(before=_Cell(i + 1, ((False, _cut(old[i])),)), changed=True)
        else:
            was, became = _marked(_cut(old[i]), _cut(new[j]), budget)
            yield _Row(_Cell(i + 1, was), _Cell(j + 1, became), changed=True)


Pieces = tuple[tuple[bool, str], ...]


def _marked(was: str, became: str, budget: _Budget) -> tuple[Pieces, Pieces]:
    """Return the two lines with the differing words marked."""
    one, other = _WORDS.findall(was), _WORDS.findall(became)
    budget.left -= len(one) * len(other)
    if budget.left < 0:
        return ((False, was),), ((False, became),)
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.ratio() < _MIN_LIKENESS:
        return ((False, was),), ((False, became),)
    codes = matcher.get_opcodes()
    return (
        tuple((tag != "equal", "".join(one[i1:i2])) for tag, i1, i2, _, _ in codes if i2 > i1),
        tuple((tag != "equal", "".join(other[j1:j2])) for tag, _, _, j1, j2 in codes if j2 > j1),
    )


def _cut(line: str) -> str:
    if len(line) <= MAX_LINE_CHARACTERS:
        return line
    return f"{line[:MAX_LINE_CHARACTERS]}… ({len(line) - MAX_LINE_CHARACTERS} more characters)"


def _row_html(row: _Row) -> SafeString:
    if row.folded:
        return format_html('<tr class="kiok-fold"><td colspan="4">… {} unchanged lines</td></tr>', row.folded)
    old = _cell_html(row.before, "del" if row.changed else "", "−")
    return format_html("<tr>{}{}</tr>", old, _cell_html(row.after, "ins" if row.changed else "", "+"))


def _cell_html(cell: _Cell, tag: str, sign: str) -> SafeString:
    if not cell.number:
        return _NO_LINE
    text = format_html_join(
        "",
        "{}",
        (((format_html("<mark>{}</mark>", piece) if marked else piece),) for marked, piece in cell.pieces),
    )
    if not tag:
        return format_html('<td class="kiok-number">{}</td><td class="kiok-line">{}</td>', cell.number, text)
    return format_html(
        '<td class="kiok-number">{0}</td>'
        '<td class="kiok-line kiok-{1}"><{1}><span class="kiok-sign">{2}</span>{3}</{1}></td>',
        *(cell.number, tag, sign, text),
    )
