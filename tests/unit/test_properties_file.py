"""The properties file: its syntax, and text in it that cannot be stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.server import properties_file
from tests.support.property_files import problems


def test_java_properties_syntax_is_read_as_java_does(config: Path) -> None:
    config.write_text(
        "# comment\n! comment\n  a = 1 \nb:2\nc 3\nd\\=e = x\\ty\\u0041\n"
        "f = one,\\\n    two\ng = back\\\\\nempty =\nh = # no comment\n"
    )
    values = {key: entry.value for key, entry in properties_file.read(config).items()}
    assert values == {
        "a": "1 ",
        "b": "2",
        "c": "3",
        "d=e": "x\tyA",
        "f": "one,two",
        "g": "back\\",
        "empty": "",
        "h": "# no comment",
    }


def test_a_key_given_twice_is_an_error_with_both_lines(config: Path) -> None:
    config.write_text("kiok.workers=1\n\nkiok.workers=2\n")
    assert problems(config=config) == f"{config}:3: kiok.workers is already set in line 1; keep one"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1), st.text(max_size=30))
def test_any_escaped_key_and_value_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text)

    file = tmp_path_factory.mktemp("p") / "x.properties"
    try:
        file.write_text(f"{escaped(key)}={escaped(value)}\n", encoding="utf-8")
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form
        return
    assert {k: e.value for k, e in properties_file.read(file).items()} == {key: value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\nkiok.web.host=\\u0000", ":2: kiok.web.host is '\\x00': it holds a NUL character"),
        (b"\nkiok.web.host=\\ud83d", ":2: kiok.web.host is '\\ud83d': it holds the lone surrogate U+D83D"),
        (b"\nkiok.web.host=\x00", ":2: kiok.web.host is '\\x00': it holds a NUL character"),
        (b"\nkiok.web.host=\xff", ":2: it is not UTF-8 text: byte 0xFF at offset 15"),
        (b"\nkiok.web\\ud83d=1", ":2: unknown property kiok.web"),
    ],
)
def test_text_of_the_properties_file_that_cannot_be_stored_is_located(
    config: Path, text: bytes, expected: str
) -> None:
    config.write_bytes(text)
    message = problems(config=config)
    assert message.startswith(f"{config}{expected}")
    assert "\n" not in message
