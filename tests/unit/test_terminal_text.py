"""Untrusted text on a terminal: every field that commands print, with control characters."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management.base import BaseCommand
from hypothesis import given
from hypothesis import strategies as st

from compilers.sandbox.self_check import Examination, LayerResult
from gitsync.management import terminal
from gitsync.models import Repository
from gitsync.repositories.states import LABELS
from gitsync.sync.report import FileFailure, SyncReport
from kiok.checks import CheckResult, CheckStatus
from kiok.errors import Diagnostic
from kiok.report import as_github, as_text
from kiok.server.command_output import make_printable
from kiok.text import joined_surrogates, terminal_json, terminal_line, terminal_text

HOSTILE = (
    "\x1b[2J",  # CSI: clear the screen
    "\x1b]0;title\x07",  # OSC: set the title
    "\x1b]52;c;cm0gLXJm\x07",  # OSC 52: write the clipboard
    "\x1bc",  # reset
    "\x9b31m",  # CSI of C1
    "\x90q\x9c",  # DCS of C1
    "\x08\x08\r",
    "\u202egpj.exe\u2066",
    "\u200e\u200f\u061c\u200b\ufeff\u2060",
    "\u2028\u2029\x0b\x0c\x85",
    "\U000e0041",
    "\ud83d\udcff",
    "\x00\x7f",
    "[red]no markup[/] :warning:",
)
ALL = "".join(HOSTILE)
LINES = f"{ALL}\nrepository in sync\n\tforged"


def acts(printed: str) -> set[str]:
    """Return the characters that control a terminal, or hide or reorder text."""
    return {one for one in printed if one != "\n" and terminal_line(one) != one}


@given(st.text(st.characters(codec=None)))
def test_terminal_line_has_no_line_break_and_no_control_character(text: str) -> None:
    line = terminal_line(text)
    assert len(line.splitlines()) <= 1
    assert not acts(line)
    assert terminal_line(line) == line
    line.encode()


@given(st.text(st.characters(codec=None)))
def test_text_keeps_its_line_breaks_indented_and_its_tabs(text: str) -> None:
    safe = terminal_text(text, indent="  ")
    assert not acts(safe.replace("\t", ""))
    _, *others = safe.split("\n")
    assert len(others) == text.count("\n")
    assert all(line.startswith("  ") for line in others)
    assert safe.count("\t") == text.count("\t")


def test_text_of_every_script_and_emoji_are_kept() -> None:
    text = "Größe 数据 данные مثال 👩‍💻 é\u0301"
    assert terminal_line(text) == text


@given(st.recursive(st.text(st.characters(codec=None)), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_printable_and_has_the_same_value(value: Any) -> None:
    text = terminal_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert not acts(text)
    assert json.loads(text) == json.loads(json.dumps(value))


def test_surrogate_pairs_are_joined_and_lone_ones_kept() -> None:
    assert joined_surrogates("a\ud83d\ude80\ude80\ud83d") == "a🚀\ude80\ud83d"


def hostile_copy(value: Any) -> Any:
    """Return the dataclass with hostile text in every text field, at any depth."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if isinstance(found, str) and field.name not in ("state", "status"):
            changes[field.name] = LINES
        elif isinstance(found, tuple):
            changes[field.name] = (LINES, LINES)
    return dataclasses.replace(value, **changes)


def reports() -> None:
    failed = FileFailure(LINES, 3, LINES)
    made = [
        dataclasses.replace(hostile_copy(SyncReport("n", state, compiled=1, reused=1)), failed=(failed,))
        for state in ("in_sync", "degraded", "failing", "never")
    ]
    terminal.show_reports(made, dry_run=True)


def repositories() -> None:
    now = datetime.now(UTC)
    rows = []
    for extra in ({}, {"enabled": False}, {"paused_at": now}, {"lease_holder": ALL, "lease_expires_at": now}):
        row: Any = Repository(**extra)
        row.is_queued = extra == {}
        for field in Repository._meta.fields:
            if field.get_internal_type() in ("CharField", "TextField") and field.name not in (
                "state",
                *extra,
            ):
                setattr(row, field.name, LINES)
        rows.append(row)
    terminal.show_repositories(rows)


def layers() -> None:
    statuses = (CheckStatus.FAIL, CheckStatus.OK, CheckStatus.WARN)
    findings = tuple(LayerResult(LINES, status, LINES, expected=LINES) for status in statuses)
    terminal.show_examination(Examination(findings, ((LINES, LINES),), 1.0))


def doctor() -> None:
    terminal.show_results([CheckResult("git", status, LINES, LINES) for status in CheckStatus])


@pytest.mark.parametrize("show", [reports, repositories, layers, doctor])
def test_printed_fields_have_no_control_characters(
    show: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    show()
    printed = capsys.readouterr().out
    assert not acts(printed)
    assert "\\x1b[2J" in printed
    assert "[red]no markup[/] :warning:" in printed
    # A line break makes no line that could pass for one of the command's own.
    assert not any(line.startswith(("repository in sync", "forged")) for line in printed.splitlines())


@pytest.mark.parametrize("written", [as_text, as_github])
def test_diagnostic_has_no_control_character_in_any_field(written: Callable[[Diagnostic], str]) -> None:
    diagnostic = Diagnostic(LINES, LINES, 1, 2, LINES, LINES, LINES, LINES)
    assert not acts(written(diagnostic).replace("\t", ""))


def test_output_of_a_command_escapes_text_and_keeps_its_style() -> None:
    class Command(BaseCommand):
        __module__ = "kiok.test"

    output, failed = io.StringIO(), io.StringIO()
    command = Command(stdout=output, stderr=failed)  # type: ignore[arg-type]
    failed.isatty = lambda: True  # type: ignore[method-assign]
    command.stderr.style_func = lambda text: f"\x1b[1m{text}\x1b[0m"
    make_printable(command)
    command.stdout.write(ALL)
    command.stderr.write(ALL)
    assert not acts(output.getvalue())
    assert failed.getvalue().startswith("\x1b[1m\\x1b[2J")
    assert not acts(failed.getvalue().removeprefix("\x1b[1m").replace("\x1b[0m", ""))


def test_names_of_states_are_those_of_the_pages() -> None:
    from gitsync.admin import states

    assert {state: word for state, (_, word) in states.REPOSITORY.items()} == dict(LABELS)
    assert set(terminal.COLOURS) == set(LABELS)
