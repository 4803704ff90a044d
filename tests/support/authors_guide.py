"""The guide for authors: its pages, its code, and commands as an author runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile

ROOT = Path(__file__).resolve().parents[2]
JAVA = ROOT / "compilers" / "images" / "java"
AUTHORS = ROOT / "docs" / "authors"


# The first page first: its examples are those that the tests of the commands use.
PAGES = [AUTHORS / "index.md", *sorted(set(AUTHORS.glob("*.md")) - {AUTHORS / "index.md"})]
GUIDE = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def fences(language: str) -> list[str]:
    return [text for name, text in FENCES if name == language]


def page(name: str) -> str:
    return (AUTHORS / f"{name}.md").read_text(encoding="utf-8")


def in_one_line(text: str) -> str:
    """Return the text without its line breaks."""
    return " ".join(text.split())


def rows(text: str) -> dict[str, list[str]]:
    """A table's rows: the name in the first cell to the other cells."""
    table: dict[str, list[str]] = {}
    for line in re.findall(r"^\| (`.*)\|$", text, re.MULTILINE):
        first, *rest = (cell.strip() for cell in line.split("|"))
        for name in re.findall(r"`([^`]+)`", first):
            table[name] = rest
    return table


def compile_python(text: str, folder: Path) -> CompiledFile:
    (folder / "example.py").write_text(text)
    return compile_python_file(str(folder / "example.py"), [str(folder)])


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell command as an author gives it, where `python3` has kiok installed."""
    (folder / "bin").mkdir(exist_ok=True)
    link = folder / "bin" / "python3"
    if not link.exists():
        link.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        link.chmod(0o755)
    path = f"{link.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def repository(folder: Path, files: Mapping[str, str]) -> None:
    write(folder, files)
    for command in ("init -q .", "add ."):
        subprocess.run(["git", *command.split()], cwd=folder, check=True, capture_output=True)
