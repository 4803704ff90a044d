"""`manage.py --help`: the commands of this project first, each with one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.core.management import get_commands

from kiok.server.command_output import is_ours

ROOT = Path(__file__).parents[2]
MAX_COLUMNS = 100


def printed(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_help_lists_the_projects_commands_first_with_one_line_each() -> None:
    lines = printed("--help")
    ours = sorted(name for name, app in get_commands().items() if is_ours(app))
    others = sorted(name for name, app in get_commands().items() if not is_ours(app))
    assert {"gitsync", "run", "migrate", "doctor"} <= set(ours)
    assert {"check", "createsuperuser", "axes_reset"} <= set(others)
    first = lines.index("Commands of kiok:") + 2
    listed = [line.split(maxsplit=1) for line in lines[first : first + len(ours)]]
    assert [name for name, _ in listed] == ours
    assert all(text[0].isupper() and text.endswith(".") for _, text in listed)
    rest = lines[lines.index("Commands of Django and other packages:") + 2 :]
    assert [line.strip() for line in rest] == others
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []


def test_help_for_shells_lists_all_commands() -> None:
    assert printed("help", "--commands") == sorted(get_commands())
