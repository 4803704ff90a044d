"""Untrusted text made printable: every character, each form of replacement, and the length."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.text import cut, one_line, printable, python_escape, reveal_hidden, storable, u_escape

ANY_TEXT = st.text(st.characters(codec=None))
UNPRINTABLE = [chr(code) for code in range(sys.maxunicode + 1) if not chr(code).isprintable()]


@given(ANY_TEXT)
def test_printable_replaces_only_unprintable_characters(text: str) -> None:
    found = printable(text, "?")
    assert found.isprintable()
    assert len(found) == len(text)
    assert all(new in (old, "?") for new, old in zip(found, text, strict=True))
    assert printable(text, "") == "".join(one for one in text if one.isprintable())


def test_printable_replaces_line_breaks_and_terminal_sequences() -> None:
    assert printable("a\x1b[2J\nb\u202e\ud800\x00") == "a [2J b   "
    assert printable("a\x1bb\u2028", python_escape) == "a\\x1bb\\u2028"
    assert printable("a\x1bb\U000e0041", u_escape) == "a\\u001bb\\ue0041"


def test_escapes_of_all_unprintable_characters_are_printable_and_distinct() -> None:
    for escape in (python_escape, u_escape):
        escaped = {escape(character) for character in UNPRINTABLE}
        assert len(escaped) == len(UNPRINTABLE)
        assert all(text.isascii() and text.isprintable() and text.startswith("\\") for text in escaped)


@given(ANY_TEXT)
def test_one_line_has_single_blanks(text: str) -> None:
    found = one_line(text)
    assert found.isprintable()
    assert found == " ".join(found.split())
    assert one_line(found) == found


@given(ANY_TEXT, st.integers(1, 30))
def test_cut_keeps_the_limit_and_shows_that_text_is_missing(text: str, limit: int) -> None:
    found = cut(text, limit)
    assert len(found) <= limit
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]) and len(text) > limit)


def test_storable_escapes_what_postgresql_refuses_and_keeps_the_rest() -> None:
    assert storable("a\x00\ud800\x1b\n", 10) == "a\\u0000\\ud800\x1b\n"
    assert storable("abcdef", 4) == "abc…"


@pytest.mark.parametrize("hidden", ["\x1b", "\x85", "\u202e", "\u200b", "\u200d", "\ufeff", "\u2028"])
def test_reveal_hidden_escapes_what_changes_how_code_reads(hidden: str) -> None:
    assert reveal_hidden(f"a{hidden}b\r\n\tc") == f"a\\u{ord(hidden):04x}b\n\tc"
