"""The form of the documents: invariants, decision records, indexes, the glossary, the width of lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documents import (
    ADRS,
    ARCHITECTURE,
    DOCS,
    DOCUMENTS,
    LINK,
    OPERATE,
    README,
    ROOT,
    RUNBOOKS,
    section,
    words_of,
)

_MAY_BE_WIDE = re.compile(r"^\s*(\||(?:[-*] )?\[[^\]]*\]\([^)]*\)[.,;:]?$)|https?://")
_NOT_WRAPPED = frozenset(
    ("performance.md", "reliability.md", "security.md")
)  # pages with generated lines, or whose lines are still wider


def test_every_folder_of_the_architectures_list_exists() -> None:
    folders = re.findall(r"^\| `([\w./-]+/)` \|", section(ARCHITECTURE, "Layout"), re.MULTILINE)
    assert len(folders) >= 8
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_four_parts(adr: Path) -> None:
    text = adr.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(adr.name[:4])}. "), adr.name
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "What would violate it"]


def test_decision_records_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


def test_index_of_decisions_lists_each_record_once() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| .+\. \|$", index, re.MULTILINE)
    assert sorted(name for _, name in listed) == [path.name for path in ADRS]
    assert all(name.startswith(f"{int(number):04}-") for number, name in listed)


def test_index_of_documents_lists_every_document() -> None:
    index = ROOT / "docs" / "index.md"
    links = LINK.findall(index.read_text(encoding="utf-8"))
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links}
    assert {path for path in DOCUMENTS if path not in ADRS} - listed == {ROOT / "README.md", index}


def test_glossary_is_sorted_and_defines_each_term_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    states, terms = (
        re.findall(r"^\| \*\*(.+?)\*\* \| .+\. \|$", part, re.MULTILINE) for part in text.split("## Terms")
    )
    assert states == [
        "In sync",
        "Degraded",
        "Failing",
        "Syncing",
        "Queued",
        "Paused",
        "Never synced",
        "Disabled",
    ]
    assert terms == sorted(set(terms), key=str.lower)
    assert len(terms) + len(states) + 2 == len(re.findall(r"^\| [^-]", text, re.MULTILINE))


def test_the_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in section(README, "The two commands")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = [line for line in script.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert lines == ["exec make test </dev/null"]


def test_the_version_is_the_same_in_the_project_and_the_change_log() -> None:
    project = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    newest = re.search(r"^## \[(\d.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert project
    assert newest
    assert project[1] == newest[1]


@pytest.mark.parametrize("folder", [OPERATE, RUNBOOKS], ids=lambda path: path.name)
def test_the_index_of_a_folder_links_each_of_its_pages(folder: Path) -> None:
    index = folder / "README.md"
    linked = {(folder / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", words_of(index))}
    assert set(folder.rglob("*.md")) - {index} <= linked


def wrapped_documents() -> list[Path]:
    """Return the pages of docs/, except those whose lines are still wider."""
    return [
        path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in _NOT_WRAPPED
    ]


@pytest.mark.parametrize("document", wrapped_documents(), ids=lambda path: str(path.relative_to(DOCS)))
def test_no_line_of_a_document_is_wider_than_100_columns(document: Path) -> None:
    """Except rows of tables, code in fences, links that fill a line, and lines with a url."""
    fenced = False
    for number, line in enumerate(words_of(document).splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not (fenced or len(line) <= 100 or _MAY_BE_WIDE.search(line)):
            pytest.fail(f"docs/{document.relative_to(DOCS)}:{number}: {len(line)} columns")
