"""The problems of a test run: failed tests, skipped tests, and parts of the suite without any test that ran."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree  # reads only files that pytest has just written

_WORDS = {
    "failure": "failed",
    "error": "failed during setup or teardown",
    "skipped": "skipped, which counts as failed",
}


def problems(results: Sequence[Path], packages: Sequence[str]) -> list[str]:
    """Return one line per problem, from pytest's JUnit reports and the packages that must have run."""
    found = [f"{path} is missing: its tests did not finish" for path in results if not path.exists()]
    cases = [
        case
        for path in results
        if path.exists()
        for case in ElementTree.parse(path).iter("testcase")  # noqa: S314
    ]
    for case in cases:
        for outcome in case:
            if words := _WORDS.get(outcome.tag):
                output = (outcome.get("message") or "").partition("\n")[0][:150]
                found.append(f"{words}: {case.get('classname')}::{case.get('name')}: {output}")
    ran = {".".join((case.get("classname") or "").split(".")[:2]) for case in cases}
    return found + [f"no test of {package} ran" for package in packages if package not in ran]
