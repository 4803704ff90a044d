"""Write the tables of attacks in docs/security.md.

One is made from the heads of the hostile files under tests/sandbox/attacks, the other from tests/sandbox/gvisor.toml.

attack_table.py            write the tables
attack_table.py --check    exit with status 1 if one is out of date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compilers.result import FileStatus
from kiok.server import marked_text
from tests.sandbox.attacks import JARS, PYTHON, TARS, Attack, attacks
from tests.sandbox.gvisor_differences import differences

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "security.md"
# Folder: its heading, and the test that each of its files is a case of.
SECTIONS = {
    PYTHON: (
        "Python files",
        "tests/sandbox/test_attacks_python.py",
        "test_a_hostile_python_file_is_contained",
    ),
    JARS: ("Jars", "tests/sandbox/test_attacks_jars.py", "test_a_hostile_jar_is_contained"),
    TARS: ("Tars", "tests/sandbox/test_attacks_tars.py", "test_the_driver_refuses_a_hostile_tar"),
}
# Replacements that turn a regular expression into readable text.
_IN_WORDS = {
    r"\|": " / ",
    r"\.\*": "...",
    r"\\d\+|\\d": "N",
    r"\\(.)": r"\1",
}


def table() -> str:
    """Return all attacks, in a table for each kind of file."""
    parts = []
    for folder, (title, path, test) in SECTIONS.items():
        found = attacks(folder)
        parts += [
            f"### {title}",
            "",
            f"{len(found)} attacks, each a case of [`{test}`](../{path}) with its name.",
            "",
            "| attack | what it tries | what happens |",
            "|---|---|---|",
            *(f"| [{one.name}](../{_place(one)}) | {_cell(one.tries)} | {_end(one)} |" for one in found),
            "",
        ]
    return "\n".join(parts)


def gvisor_table() -> str:
    """Return the groups of attacks that end otherwise in gVisor."""
    by_name = {attack.name: attack for folder in (PYTHON, JARS) for attack in attacks(folder)}
    rows = [
        (
            group.differs,
            f"{'**Yes**' if group.matters else 'No'}: {group.why}",
            ", ".join(f"[{name}](../{_place(by_name[name])})" for name in group.ends),
        )
        for group in differences()
    ]
    count = sum(len(group.ends) for group in differences())
    summary = f"{count} of the {len(by_name)} attacks on Python and jars end otherwise than with `runc`."
    return f"{summary}\n\n{marked_text.table(('what differs', 'does it matter', 'attacks'), rows)}\n"


# By the name of its markers in the document.
TABLES = {"attacks": table, "gvisor": gvisor_table}


def _place(attack: Attack) -> str:
    return attack.path.relative_to(ROOT).as_posix()


def _end(attack: Attack) -> str:
    if attack.outcome is FileStatus.COMPILED:
        return "compiles and leaves nothing behind"
    if attack.outcome is FileStatus.NOT_A_DAG:
        return "is not a DAG and leaves nothing behind"
    words = attack.expect
    for pattern, text in _IN_WORDS.items():
        words = re.sub(pattern, text, words)
    return f"`{words}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write(f"usage: {Path(__file__).name} [--check]\n")
        return 2
    if not sys.argv[1:]:
        for name, make in TABLES.items():
            marked_text.write(DOCUMENT, name, make())
    elif not all(marked_text.is_current(DOCUMENT, name, make()) for name, make in TABLES.items()):
        sys.stderr.write("docs/security.md is out of date: run scripts/attack_table.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
