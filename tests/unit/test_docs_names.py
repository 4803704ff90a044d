"""Commands, options, files, properties and variables that documents name exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import axes
import pytest

from kiok.server.properties import OTHER_VARIABLES, TABLE
from tests.support.documents import CODE, COMMANDS, DOCUMENTS, FENCE, ROOT, words_of

_COMMAND = re.compile(r"manage\.py ([a-z_]+)((?: +\\\n *| )[^`|\n#→]*)?")
_OPTION = re.compile(r"(?<![\w-])--[a-z-]+")
_FILE = re.compile(
    r"(?<![\w./-])(?:scripts|tests|ops|kiok|gitsync|compilers|soak|benchmarks|docs|examples)/[\w./*-]*[\w*]"
)
# The commands of Django and django-q2 that documents name, with the options that they name of them.
_OF_DJANGO = {
    "changepassword": set(),
    "check": {"--deploy"},
    "createsuperuser": set(),
    "makemigrations": set(),
    "migrate": set(),
    "qmonitor": set(),
}
# Labels of containers and images, and a file.
_NO_PROPERTIES = frozenset(
    ("kiok.correlation", "kiok.java", "kiok.properties", "kiok.protocol", "kiok.python", "kiok.service")
)


@cache
def options_of_commands() -> dict[str, set[str]]:
    """The commands of manage.py with their options."""
    ours = (
        path
        for folder in (ROOT / "kiok", ROOT / "gitsync", Path(axes.__file__).parent)
        for path in folder.rglob("management/commands/[a-z]*.py")
    )
    return _OF_DJANGO | {path.stem: set(re.findall(r'"(--[a-z-]+)"', words_of(path))) for path in ours}


@cache
def variables() -> set[str]:
    """The variables of the environment that something reads."""
    scripts = " ".join(
        words_of(path) for folder in ("scripts", "tests") for path in (ROOT / folder).rglob("*.py")
    )
    read = re.findall(r"\"(KIOK_[A-Z_]+)\"", scripts)
    return {*read, *OTHER_VARIABLES, *(line.variable for line in TABLE.values())}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists_and_has_the_options(document: Path) -> None:
    text = words_of(document)
    for name, rest in _COMMAND.findall(text):
        assert name in options_of_commands(), f"{document.name}: manage.py {name}"
        options = set(_OPTION.findall(rest)) - {"--config"}
        assert options <= options_of_commands()[name], f"{document.name}: manage.py {name} {rest}"
    targets = re.findall(r"^([a-z-]+):", words_of(ROOT / "Makefile"), re.MULTILINE)
    for code in (*CODE.findall(text), *FENCE.findall(text)):
        for target in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE):
            assert target in targets, f"{document.name}: make {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_property_and_variable_that_is_named_exists(document: Path) -> None:
    for code in CODE.findall(words_of(document)):
        for file in _FILE.findall(code):
            assert any(ROOT.glob(file)), f"{document.name}: {file}"
        if re.fullmatch(r"kiok(\.[a-z]+)+", code) and code not in _NO_PROPERTIES:
            module = ROOT / code.replace(".", "/")
            is_there = code in TABLE or module.is_dir() or module.with_suffix(".py").is_file()
            assert is_there, f"{document.name}: {code}"
        for variable in re.findall(r"\bKIOK_[A-Z_]*[A-Z]\b", code):
            # The author of a DAG chooses the name of a parameter.
            is_argument = variable.startswith("KIOK_ARG_")
            assert is_argument or variable in variables(), f"{document.name}: {variable}"


def test_every_command_is_in_the_list_of_commands() -> None:
    cells = re.findall(r"^\| (`[^|]+) \|", words_of(COMMANDS), re.MULTILINE)
    listed = {code.partition(" ")[0] for cell in cells for code in CODE.findall(cell)}
    assert options_of_commands().keys() - _OF_DJANGO.keys() <= listed
