"""Facts about a commit from its object, whatever the object contains."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.commit_object import NO_FACTS, CommitFacts, facts_of, header_values

TIME = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def commit(
    message: bytes = b"Fix the load\n",
    author: bytes = b"Ada <ada@example.org> 1600000000 +0100",
    committer: bytes = b"Bob <bob@example.org> 1700000000 -0800",
    *headers: bytes,
) -> bytes:
    lines = [b"tree " + b"0" * 40, b"author " + author, b"committer " + committer, *headers]
    return b"\n".join(lines) + b"\n\n" + message


def test_facts_are_author_first_line_and_time_of_the_commit() -> None:
    assert facts_of(commit(b"\n \nFix the load\nsecond line\n\nBody")) == CommitFacts(
        "Ada", "Fix the load", TIME
    )


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (b"Ada Lovelace <ada@example.org> 1 +0000", "Ada Lovelace"),
        (b"ada@example.org <ada@example.org> 1 +0000", "ada"),
        (b"other@example.org <ada@example.org> 1 +0000", "other"),
        (b" <ada@example.org> 1 +0000", ""),
        (b"<ada@example.org> 1 +0000", ""),
        (b"", ""),
        (b"Ada\tof <b", "Ada of"),
    ],
)
def test_an_author_is_a_name_without_address(author: bytes, shown: str) -> None:
    assert facts_of(commit(author=author)).author == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (b"", ""),
        (b"CRLF\r\nbody", "CRLF"),
        (b"a\tb  c", "a b c"),
        (b"nul \x00 end", r"nul \u0000 end"),
        (b"bell \x07", r"bell \u0007"),
        ("right \u202eto left".encode(), r"right \u202eto left"),
        ("zero\u200bwidth".encode(), r"zero\u200bwidth"),
        ("line\u2028separator".encode(), r"line\u2028separator"),
        ("tag \U000e0041".encode(), "tag"),
        ("größer €".encode(), "größer €"),
        (b"gr\xf6\xdfer", "gr\ufffd\ufffder"),
        (b"\xed\xa0\x80 surrogate", "\ufffd\ufffd\ufffd surrogate"),
        (b"<b>&amp;", "<b>&amp;"),
    ],
)
def test_a_subject_is_one_line_without_hidden_characters(message: bytes, shown: str) -> None:
    assert facts_of(commit(message)).subject == shown


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        (b"ISO-8859-1", "größer"),
        (b"windows-1252", "größer"),
        (b"iso-8859-99", "gr\ufffd\ufffder"),
        (b"unicode_escape", "gr\ufffd\ufffder"),
        (b"bz2", "gr\ufffd\ufffder"),
        (b"../../os", "gr\ufffd\ufffder"),
    ],
)
def test_a_declared_encoding_counts_if_it_is_one_of_text(encoding: bytes, shown: str) -> None:
    content = commit(b"gr\xf6\xdfer", b"gr\xf6\xdfer <a@b> 1 +0", b"x <> 1 +0", b"encoding " + encoding)
    assert (facts_of(content).author, facts_of(content).subject) == (shown, shown)


@pytest.mark.parametrize(
    ("committer", "time"),
    [
        (b"Bob <b> 0 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"Bob <b> 253370764800 +0000", datetime(9999, 1, 1, tzinfo=UTC)),
        (b"Bob <b> 253370764801 +0000", None),
        (b"Bob <b> 99999999999999999999 +0000", None),
        (b"Bob <b> -5 +0000", None),
        (b"Bob <b> soon +0000", None),
        (b"Bob <b>", None),
        (b"", None),
    ],
)
def test_a_time_that_is_no_date_is_unknown(committer: bytes, time: datetime | None) -> None:
    assert facts_of(commit(committer=committer)).time == time


def test_headers_are_not_searched_for_in_the_message() -> None:
    content = b"tree 0\n\nauthor Eve <e> 1 +0\ncommitter Eve <e> 1 +0\n"
    assert facts_of(content) == CommitFacts(subject="author Eve <e> 1 +0")
    signed = commit(
        b"x", b"Ada <a> 1 +0", b"Bob <b> 1700000000 +0", b"gpgsig one\n author Eve <e> 1 +0\n two"
    )
    assert facts_of(signed).author == "Ada"
    assert header_values(signed, b"gpgsig") == [b"one\nauthor Eve <e> 1 +0\ntwo"]


@given(st.binary(max_size=300) | st.builds(commit, st.binary(), st.binary(), st.binary(), st.binary()))
def test_any_object_gives_printable_text(content: bytes) -> None:
    facts = facts_of(content)
    assert facts.author.isprintable()
    assert facts.subject.isprintable()
    assert "\x00" not in facts.author + facts.subject


def test_an_object_that_is_cut_gives_what_is_left() -> None:
    assert facts_of(b"") == NO_FACTS
    assert facts_of(b"tree 0\nauthor Ada") == CommitFacts(author="Ada")
    assert len(facts_of(commit(b"x" * 100_000)).subject) == 8192
