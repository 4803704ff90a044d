"""The source lines around a problem: the correct lines, few, short, without invisible characters."""

from __future__ import annotations

import pytest

from compilers.excerpt import MAX_CHARACTERS, MAX_EXCERPTS, MAX_LINE, Excerpt, excerpts
from compilers.formats import FORMATS
from kiok.errors import Diagnostic

TEN = "".join(f"line {number}\n" for number in range(1, 11))


def around(line: int | None, text: str = TEN, kind: str = "python") -> Excerpt | None:
    (found,) = excerpts(text, [Diagnostic("wrong", line=line)], FORMATS[kind].line_break)
    return found


@pytest.mark.parametrize(
    ("line", "first", "last"), [(1, 1, 3), (2, 1, 4), (5, 3, 7), (9, 7, 10), (10, 8, 10)]
)
def test_excerpt_has_two_lines_before_and_after(line: int, first: int, last: int) -> None:
    found = around(line)
    assert found == Excerpt(first, tuple(f"line {number}" for number in range(first, last + 1)))


def test_problem_at_the_end_of_the_text_is_on_the_empty_last_line() -> None:
    assert around(11) == Excerpt(9, ("line 9", "line 10", ""))


@pytest.mark.parametrize("line", [None, 12, MAX_LINE + 1, 2**31 - 1])
def test_line_outside_the_text_has_no_excerpt(line: int | None) -> None:
    assert around(line) is None


def test_each_format_counts_its_own_line_breaks() -> None:
    text = "a\r\nb\rc\nd\u2028e\x85f\n"
    python, yaml = around(4, text, "python"), around(6, text, "yaml")
    assert python == Excerpt(2, ("b", "c", "d\\u2028e\\u0085f"))
    assert yaml == Excerpt(4, ("d", "e", "f"))


def test_invisible_and_bidirectional_characters_are_escaped() -> None:
    found = around(1, "\ufeffif x:\u202e # \x1b[31mred\u00a0\tend\ud7ff\n")
    assert found is not None
    assert found.lines[0].startswith("if x:\\u202e # \\u001b[31mred\\u00a0")
    assert found.lines[0].isprintable()


def test_long_line_is_cut_with_a_mark() -> None:
    found = around(1, "\x01" * 1_000_000)
    assert found is not None
    assert len(found.lines[0]) == MAX_CHARACTERS
    assert found.lines[0].endswith("…")


def test_only_the_first_problems_of_a_file_have_excerpts() -> None:
    found = excerpts(TEN, [Diagnostic("wrong", line=1)] * (MAX_EXCERPTS + 5))
    assert [item is not None for item in found] == [True] * MAX_EXCERPTS + [False] * 5


@pytest.mark.parametrize("stored", [None, [], "x", {}, {"first": "1", "lines": []}, {"first": 1, "lines": 3}])
def test_invalid_stored_excerpt_is_read_as_none(stored: object) -> None:
    assert Excerpt.from_json(stored) is None


def test_excerpt_is_read_as_it_was_stored() -> None:
    found = around(5)
    assert found is not None
    assert Excerpt.from_json(found.to_json()) == found
