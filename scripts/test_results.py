"""Fails when a test was skipped, or when a part of the suite ran no test at all.

    test_results.py RESULTS.xml PACKAGE...      a JUnit report by pytest, and what must have run

Says nothing when all is well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree  # written by pytest a moment ago: no foreign input


def problems(results: Path, packages: list[str]) -> list[str]:
    """What is wrong with a test run, one line each."""
    if not results.exists():
        return [f"{results} is missing: the tests did not run to their end"]
    cases = list(ElementTree.parse(results).iter("testcase"))  # noqa: S314
    found = [
        f"skipped, which counts as failed: {case.get('classname')}::{case.get('name')}: {skip.get('message')}"
        for case in cases
        for skip in case.iter("skipped")
    ]
    ran = {".".join((case.get("classname") or "").split(".")[:2]) for case in cases}
    return found + [f"no test of {package} ran" for package in packages if package not in ran]


def main() -> int:
    found = problems(Path(sys.argv[1]), sys.argv[2:])
    for line in found:
        sys.stderr.write(f"test: {line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
