"""The language of the project: plain technical English, in sources, templates and documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = re.compile(
    r"\b(anew|beside|deeds?|for want of|be it|mend(s|ed|ing)?|(stands?|stood|standing) ready"
    r"|told of|(is|are|was|were) told|whoever)\b",
    re.IGNORECASE,
)
# Sentences and names that were replaced; `docs/glossary.md` has the terms.
REPLACED = re.compile(
    r"With \{name\} went|The worker failed at it|before receivers are told|How it is talked to|Whom e-mail is from"
    r"|it is looked at at once|What is wrong is told field by field|to the grave|A DAG for nobody|asks whether one is sure"
    r"|Hold it back, with a reason|A line leads from a task|what the dead left|So old may the row"
    r"|\b(Looks|look_at_once|hasten|rouse|Rouser|Deferred|put_back|Candidate|stand_for_leader|SharedProbes|told_state"
    r"|untold_looks|note_transition|call_off|NotPossible|Housekeeping|HostGone|Crowded|run_side_by_side|hostile_json)\b|(?i:standstill)"
)
FOLDERS = ("benchmarks", "compilers", "docs", "examples", "gitsync", "kiok", "ops", "scripts", "soak")
TEXTS = {".py", ".md", ".html", ".js", ".css", ".sh", ".toml", ".yaml", ".yml", ".java", ""}


def sources() -> list[Path]:
    """Return the texts of the product and its documents, without tests, migrations and libraries of others.

    Read from the folders: a copy of the sources need not be a git repository.
    """
    texts = [path for pattern in ("*.md", "*.yml", "Makefile", "Dockerfile") for path in ROOT.glob(pattern)]
    for folder in FOLDERS:
        texts += (path for path in (ROOT / folder).rglob("*") if path.suffix in TEXTS and path.is_file())
    return [path for path in texts if not re.search(r"/(migrations|vendor|__pycache__)/", path.as_posix())]


def modules_of_tests() -> list[Path]:
    """Return the modules of the tests, without this one, which names the words."""
    return [path for path in (ROOT / "tests").rglob("*.py") if path.name != Path(__file__).name]


def words(pattern: re.Pattern[str], paths: list[Path]) -> Iterator[str]:
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if found := pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {found[0]!r}"


def test_no_source_has_a_forbidden_word() -> None:
    assert list(words(WORDS, sources() + modules_of_tests())) == []


def test_no_source_has_a_replaced_sentence_or_name() -> None:
    assert list(words(REPLACED, sources())) == []


@pytest.mark.parametrize("folder", ["benchmarks", "compilers", "gitsync", "kiok", "scripts", "soak", "tests"])
def test_no_string_is_used_as_a_comment(folder: str) -> None:
    """Constants have a comment: a string below them is no docstring for any tool."""
    wrong = []
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            body = getattr(node, "body", None)
            if not isinstance(body, list):
                continue
            is_documented = isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            wrong += [
                f"{path.relative_to(ROOT)}:{statement.lineno}"
                for statement in body[1 if is_documented else 0 :]
                if isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["benchmarks", "compilers", "gitsync", "kiok", "scripts", "soak", "tests"])
def test_docstrings_begin_with_a_verb_or_a_noun(folder: str) -> None:
    banned = re.compile(r"(What|Whether|Who|Whom|How|Where|Of|As|So)\b")
    wrong = []
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if banned.match(text):
                    wrong.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {text[:60]!r}")
    assert wrong == []
