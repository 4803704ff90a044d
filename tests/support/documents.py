"""The documents of the project, and parts of their text."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
OPERATE = DOCS / "operate"
RUNBOOKS = DOCS / "runbooks"
REASONS = DOCS / "reference" / "reasons.md"
METRICS_PAGE = DOCS / "reference" / "metrics.md"
WEBHOOKS = OPERATE / "webhooks.md"
INCIDENTS = OPERATE / "troubleshooting" / "incidents.md"
COMMANDS = DOCS / "reference" / "cli.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
FAILURE_CASES = ROOT / "docs" / "failure-cases.md"
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")


def section(path: Path, title: str) -> str:
    """The text from a heading to the next one of the same or a higher level."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"{path.name} has no heading {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def words_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")
