"""Links, pictures and tests that documents name exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.documents import ADRS, ARCHITECTURE, DOCUMENTS, FAILURE_CASES, FENCE, LINK, ROOT, section

_PICTURE = re.compile(r'(?:src|srcset)="([^"]+)"|\]\(([^)\s]+\.png)\)')
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAMED_TEST = re.compile(r"`(test_[a-z0-9_]+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_or_heading_leads_there(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{document.name}: {link}"


def test_every_picture_exists_in_light_and_dark_and_is_shown() -> None:
    named = set()
    for document in DOCUMENTS:
        for name in map("".join, _PICTURE.findall(document.read_text(encoding="utf-8"))):
            assert (document.parent / name).is_file(), f"{document.name}: {name}"
            named.add((document.parent / name).resolve())
    pictures = set((ROOT / "docs" / "screenshots").iterdir())
    in_light = {path for path in pictures if path.stem.endswith("-light")}
    assert in_light <= named
    assert pictures == in_light | {path.with_stem(path.stem[:-5] + "dark") for path in in_light}
    assert {path.suffix for path in pictures} == {".png"}


def test_no_picture_weighs_more_than_200_kb_and_each_is_told_in_words() -> None:
    for path in (ROOT / "docs" / "screenshots").iterdir():
        assert path.stat().st_size < 200_000, path.name
    for document in DOCUMENTS:
        for image in re.findall(r"<img [^>]*>", document.read_text(encoding="utf-8")):
            assert re.search(r'alt="[^"]{20,}"', image), f"{document.name}: {image}"


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as git forges make them."""
    headings = _HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", [ARCHITECTURE, FAILURE_CASES, *ADRS], ids=lambda path: path.stem)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = set(_NAMED_TEST.findall(document.read_text(encoding="utf-8")))
    assert named <= set(defined_tests()), named - set(defined_tests())


def test_every_invariant_names_a_test() -> None:
    invariants = re.split(r"^\d+\. ", section(ARCHITECTURE, "Always true"), flags=re.MULTILINE)[1:]
    assert len(invariants) == 8
    for invariant in invariants:
        assert _NAMED_TEST.search(invariant), invariant


def defined_tests() -> Iterable[str]:
    """The names of all tests of the suite."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        yield from re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
