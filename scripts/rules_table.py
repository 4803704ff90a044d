"""Write docs/git-rules.md: every rule and case of tests/support/rules.py with the tests that prove it.

rules_table.py            write the document
rules_table.py --check    exit with status 1 if it is out of date, if a test names an unknown id, or if a row has no test
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.markers import MarkedTest, marked_tests
from tests.support.rules import CASE_SECTIONS, CASES, RULE_SECTIONS, RULES, Rule

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "git-rules.md"
HEAD = """\
# Git: rules and their tests

Urls, refs, folders and credentials are typed by users, and servers can send anything: all of it is
untrusted. These are the rules for the use of git, and the tests that prove each of them, with real
servers and real repositories.

`scripts/rules_table.py` writes this file from the markers of the tests. Edit
`tests/support/rules.py` and the tests instead.
"""
CASES_HEAD = """\
## Cases

The cases in the tests of [git-sync](https://github.com/kubernetes/git-sync), the best tested engine
of this kind, and the tests that cover them here.
"""


def document() -> str:
    """Return the whole text of the document."""
    parts = [HEAD]
    for section, title in RULE_SECTIONS.items():
        parts.append(_table(title, "rule", section, RULES, marked_tests("rule"), level=2))
    parts.append(CASES_HEAD)
    for section, title in CASE_SECTIONS.items():
        parts.append(_table(title, "case", section, CASES, marked_tests("case"), level=3))
    return "\n".join(parts)


def problems() -> list[str]:
    """Return the errors in the markers, one line each."""
    found = []
    for marker, table in (("rule", RULES), ("case", CASES)):
        marked = marked_tests(marker)
        found += [
            f"{test.path}: {test.name} names the unknown {marker} {one!r}"
            for one in marked.keys() - table.keys()
            for test in marked[one]
        ]
        found += [f"no test proves the {marker} {one!r}" for one in table if one not in marked]
    return found


def _table(
    title: str,
    kind: str,
    section: str,
    table: Mapping[str, Rule],
    marked: Mapping[str, list[MarkedTest]],
    level: int,
) -> str:
    rows = [
        f"| {rule.text.replace('|', chr(92) + '|')} | {'<br>'.join(map(_link, marked.get(rule.id, ())))} |"
        for rule in table.values()
        if rule.section == section
    ]
    return "\n".join((f"{'#' * level} {title}", "", f"| {kind} | tests |", "|---|---|", *rows, ""))


def _link(test: MarkedTest) -> str:
    return f"[`{test.name}`](../tests/{test.path})"


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write(f"usage: {Path(__file__).name} [--check]\n")
        return 2
    found = problems()
    if not sys.argv[1:]:
        DOCUMENT.write_text(document(), encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document():
        found.append("docs/git-rules.md is out of date: run scripts/rules_table.py")
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
