"""Every rule of git and every case has a test, and docs/git-rules.md is current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.markers import MarkedTest, marked_tests
from tests.support.rules import CASE_SECTIONS, CASES, RULE_SECTIONS, RULES, Rule

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("marker", "table"), [("rule", RULES), ("case", CASES)])
def test_every_rule_and_case_has_a_test_and_no_marker_is_unknown(marker: str, table: dict[str, Rule]) -> None:
    marked = marked_tests(marker)
    assert sorted(marked.keys() - table.keys()) == [], "no such id in tests/support/rules.py"
    assert [one for one in table if one not in marked] == [], "no test carries the marker"


def test_document_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "rules_table.py"), "--check"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_every_rule_is_in_a_section_of_the_document() -> None:
    assert {rule.section for rule in RULES.values()} == set(RULE_SECTIONS)
    assert {rule.section for rule in CASES.values()} == set(CASE_SECTIONS)


def test_markers_are_read_from_functions_methods_and_classes(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "@pytest.mark.rule('a', 'b')\n@pytest.mark.parametrize('x', [1])\ndef test_one(x): ...\n"
        "@pytest.mark.rule('c')\nclass TestIt:\n"
        "    @pytest.mark.rule('a')\n    def test_two(self): ...\n    @pytest.mark.rule('a')\n    def helper(self): ...\n"
        "@pytest.mark.case('a')\ndef test_three(): ...\n"
    )
    one, two = MarkedTest("test_x.py", "test_one"), MarkedTest("test_x.py", "test_two")
    assert marked_tests("rule", tmp_path) == {"a": [one, two], "b": [one], "c": [two]}
