"""The heads of the hostile files are complete, and docs/security.md contains their tables."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from compilers.result import FileStatus
from kiok.server import marked_text
from scripts.attack_table import SECTIONS, gvisor_table, table
from tests.sandbox.attacks import JARS, PYTHON, Attack, attacks, read
from tests.sandbox.gvisor_differences import differences

ROOT = Path(__file__).resolve().parents[2]


def test_table_in_the_document_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "attack_table.py"), "--check"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_outdated_table_is_replaced_and_the_rest_is_kept() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    stale = text.replace("\n| [fork_bomb]", "\n| [fork_bombe]")
    assert stale != text
    assert marked_text.replaced(stale, "attacks", table()) == text


@pytest.mark.parametrize("folder", SECTIONS, ids=lambda folder: folder.name)
def test_tests_named_in_the_table_run_every_file_of_the_folder(folder: Path) -> None:
    _, path, test = SECTIONS[folder]
    source = (ROOT / path).read_text()
    assert re.search(rf'"attack", ATTACKS, ids=str\)\ndef {test}\(', source)
    assert re.search(rf"^ATTACKS = attacks\({folder.name.upper()}\)$", source, re.MULTILINE)


def test_every_attack_is_in_the_table_with_its_result() -> None:
    found = [attack for folder in SECTIONS for attack in attacks(folder)]
    assert len(found) > 200
    rows = [line for line in table().splitlines() if line.startswith("| [")]
    assert len(rows) == len(found)
    for attack in found:
        assert re.compile(attack.expect)
        assert attack.tries[0].islower(), attack.name
        assert not attack.tries.endswith("."), attack.name


def test_every_difference_in_gvisor_is_of_one_attack_and_in_the_table() -> None:
    python = [name for group in differences() for name in group.python]
    jars = [name for group in differences() for name in group.jars]
    assert set(python) <= {attack.name for attack in attacks(PYTHON)}
    assert set(jars) <= {attack.name for attack in attacks(JARS)}
    names = [*python, *jars]
    assert len(set(names)) == len(names)
    assert re.findall(r"\[(\w+)\]\(", gvisor_table()) == [
        name for group in differences() for name in group.ends
    ]
    assert gvisor_table().count("| **Yes**: ") == sum(group.matters for group in differences())


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("# expect: x\n", "does not say what the file tries"),
        ("# tries: x\n", "needs an expected error"),
        ("# tries: x\n# outcome: compiled\n# expect: y\n", "needs an expected error"),
        ("# tries: x\n# outcome: escaped\n", "escaped"),
    ],
)
def test_hostile_file_with_an_incomplete_head_is_an_error(tmp_path: Path, head: str, message: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(head)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_head_of_a_java_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "A.java"
    path.write_text("// tries: x\n// outcome: compiled\n// limit: 2.5\nclass A {}\n// tries: no head\n")
    assert read(path) == Attack("A", path, "x", FileStatus.COMPILED, limit=2.5)
