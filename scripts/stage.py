"""The output of the demo: numbered steps, commands, and checked claims."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

ROOT = Path(__file__).resolve().parents[1]

console = Console(highlight=False, soft_wrap=True)
_steps = 0


class DemoFailed(Exception):
    """A claim does not hold, or a command failed. The message is the complete explanation."""


def step(title: str) -> None:
    """Start the next numbered step."""
    global _steps
    _steps += 1
    console.print(f"\n[bold cyan]{_steps}. {escape(title)}[/]")


def check(claim: str, holds: bool, found: object = "") -> None:
    """Print a claim that holds, or end the demo with one that does not."""
    if not holds:
        raise DemoFailed(f"this does not hold: {claim}" + (f". Found {found!r}" if found != "" else ""))
    console.print(f"   [green]✓[/] {escape(claim)}")


def command(*words: str, folder: Path = ROOT, expect: int = 0, show: bool = True) -> str:
    """Run a command whose output goes to the terminal (`show`) or is returned."""
    if show:
        console.print(
            f"   [dim]$ {escape(' '.join(words).replace(f'{ROOT}/', '').replace(sys.executable, 'python'))}[/]"
        )
    done = subprocess.run(
        words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=not show, text=True, check=False
    )
    if done.returncode != expect:
        raise DemoFailed(
            f"`{' '.join(words)}` ended with status {done.returncode}, not {expect}\n{done.stderr or ''}".strip()
        )
    return done.stdout or ""


def shown(path: Path) -> str:
    """Return a path as people can type it, relative to the checkout if possible."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
