"""Generated text in documents: only the text between its markers is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.server import marked_text

OTHER = "<!-- others: by hand -->\nkept\n<!-- end of others -->\n"
DOCUMENT = f"before\n{OTHER}<!-- figures: by a script -->\n\nold\n\n<!-- end of figures -->\nafter\n"


def test_replaced_changes_the_text_between_the_markers_only() -> None:
    once = marked_text.replaced(DOCUMENT, "figures", r"new \1")
    assert once == DOCUMENT.replace("old", r"new \1")
    assert marked_text.replaced(once, "figures", r"new \1") == once


def test_replaced_fills_empty_markers() -> None:
    empty = DOCUMENT.replace("\nold\n\n", "")
    assert marked_text.replaced(empty, "figures", "\nold\n") == DOCUMENT


@pytest.mark.parametrize("document", ["", "<!-- figures: x -->\n", "<!-- end of figures -->\n", OTHER])
def test_replaced_refuses_a_document_without_its_markers(document: str) -> None:
    with pytest.raises(ValueError, match="the document has no <!-- figures: "):
        marked_text.replaced(document, "figures", "new")


def test_written_file_is_current(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(DOCUMENT)
    assert not marked_text.is_current(path, "figures", "new")
    marked_text.write(path, "figures", "new")
    assert marked_text.is_current(path, "figures", "new")
    assert path.read_text() == DOCUMENT.replace("old", "new")


def test_table_escapes_the_separator_of_cells() -> None:
    assert marked_text.table(("a", "b"), [("x|y", "")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| x\\|y |  |",
    ]
