"""Two texts side by side: complete, escaped, and fast for any texts."""

from __future__ import annotations

import html
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.metadata.admin.side_by_side import MAX_CHARACTERS, MAX_ROWS, table

EVIL = "<script>alert(1)</script>\"'&{}%s{0}"
LABELS = ("version 1", "version 2")
FEW_LINES = st.lists(st.sampled_from(["a", "b", "c d", "c e", "", "  x: 1", "  x: 2"]), max_size=30)

_ROW = re.compile(r"<tr[^>]*>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r'<td class="([^"]*)"[^>]*>(.*?)</td>', re.DOTALL)
_FOLD = re.compile(r'<td colspan="4">… (\d+) unchanged lines</td>')


def words(cell: str) -> str:
    """Return a cell's text without its sign."""
    without_sign = re.sub(r'<span class="kiok-sign">.</span>', "", cell)
    return html.unescape(re.sub(r"<[^>]+>", "", without_sign))


def sides(shown: str) -> tuple[dict[int, str], dict[int, str], int]:
    """Return the lines of both sides by number, and the number of folded lines."""
    before: dict[int, str] = {}
    after: dict[int, str] = {}
    folded = 0
    for row in _ROW.findall(shown.partition("<tbody>")[2]):
        if fold := _FOLD.search(row):
            folded += int(fold[1])
            continue
        cells = _CELL.findall(row)
        assert len(cells) == 4
        for side, (number, line) in zip((before, after), (cells[:2], cells[2:]), strict=True):
            if number[1]:
                side[int(number[1])] = words(line[1])
    return before, after, folded


@given(FEW_LINES, FEW_LINES)
def test_each_line_is_shown_with_its_number_or_counted(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    shown = table(before, after, labels=LABELS)
    if before == after:
        assert shown == '<p class="kiok-same">No difference.</p>'
        return
    left, right, folded = sides(shown)
    for text, side in ((before, left), (after, right)):
        lines = text.split("\n")
        assert len(side) + folded == len(lines)
        assert all(lines[number - 1] == line for number, line in side.items())


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_two_texts_are_escaped_in_the_table(before: str, after: str) -> None:
    shown = table(before, after, labels=LABELS)
    known = (
        r"</?(?:div|table|colgroup|col|thead|tbody|tr|th|td|p|del|ins|mark|span)(?: [a-z-]+=\"[^\"<>]*\")*>"
    )
    assert "<" not in re.sub(known, "", shown)


def test_hostile_lines_and_labels_are_escaped() -> None:
    shown = table(f"same\n{EVIL}", f"same\n{EVIL}x", labels=(EVIL, EVIL))
    assert "<script" not in shown
    before, after, _ = sides(shown)
    assert before[2] == EVIL
    assert after[2] == f"{EVIL}x"
    assert shown.count(f'<th scope="col" colspan="2">{html.escape(EVIL)}</th>') == 2


def test_different_words_are_marked_with_sign_and_element() -> None:
    shown = table("retries: 3 times", "retries: 5 times", labels=LABELS)
    assert '<del><span class="kiok-sign">−</span>retries: <mark>3</mark> times</del>' in shown
    assert '<ins><span class="kiok-sign">+</span>retries: <mark>5</mark> times</ins>' in shown


def test_lines_without_a_common_word_are_marked_as_a_whole() -> None:
    assert "<mark>" not in table("alpha beta gamma", "1234;", labels=LABELS)


def test_unchanged_lines_are_folded_except_next_to_a_change() -> None:
    lines = [f"line {number}" for number in range(1, 101)]
    changed = [*lines[:49], "another", *lines[50:]]
    shown = table("\n".join(lines), "\n".join(changed), labels=LABELS)
    before, after, folded = sides(shown)
    assert list(before) == list(after) == [47, 48, 49, 50, 51, 52, 53]
    assert folded == 93
    assert "… 46 unchanged lines" in shown
    assert "… 47 unchanged lines" in shown


def test_invisible_and_bidirectional_characters_are_shown() -> None:
    shown = table("a", "a\u202eb\u200bc\x1b[31m\rd", labels=LABELS)
    assert r"a\u202eb\u200bc\u001b[31m\u000dd" in re.sub("<[^>]+>", "", shown)


@pytest.mark.parametrize("kinds", [1, 2, 30, 100, 1_000, 100_000])
def test_large_texts_are_compared_in_bounded_time(kinds: int) -> None:
    chance = random.Random(kinds)
    old, new = (
        "\n".join(f'"word {chance.randrange(kinds)}": [1, 2, 3],' for _ in range(2_990)) for _ in range(2)
    )
    shown = table(old, new, labels=LABELS)
    assert len(sides(shown)[0]) <= MAX_ROWS
    grown = table(old, new * 20, labels=LABELS)
    assert f"{MAX_ROWS} rows are shown" in grown


def test_difference_in_line_breaks_only_is_reported() -> None:
    assert "Only line endings differ" in table("a\r\nb", "a\nb", labels=LABELS)


def test_texts_that_are_too_long_are_not_compared() -> None:
    shown = table("x", "y" * (MAX_CHARACTERS + 1), labels=LABELS)
    assert "Too long to be compared here: 1 and 4000001 characters" in shown


def test_lines_of_many_words_are_compared_quickly() -> None:
    old = "\n".join("a b " * 240 + str(number) for number in range(1_400))
    new = "\n".join("b a c " * 160 + str(number) for number in range(1_400))
    assert "kiok-del" in table(old, new, labels=LABELS)
