"""CONTRIBUTING.md: the files and names that its recipes mention exist, and the numbers of files are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (Add .+?)\n(.*?)(?=^### |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ITEM = re.compile(r"^- (?:Like )?`([^`]+)`:(.*?)(?=^- |^$|\Z)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w./-]+/[\w.-]+\.\w+")


def items(recipe: str) -> list[tuple[Path, list[str]]]:
    """Return the file of each item of a recipe, with the names that the item mentions."""
    return [
        (ROOT / path, re.findall(r"`([^`]+)`", text.replace("\n", " ")))
        for path, text in ITEM.findall(RECIPES[recipe])
    ]


def test_recipes_cover_every_extension_point() -> None:
    points = ("a format", "a git service", "a property", "an admin page", "a notification channel")
    assert list(RECIPES) == [f"Add {point}" for point in (*points, "a periodic job")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_states_the_number_of_its_files(recipe: str) -> None:
    stated = re.search(r"\*\*(\d+) files\*\*", RECIPES[recipe])
    assert stated
    paths = [path for path, _ in items(recipe)]
    assert len(set(paths)) == len(paths) == int(stated[1])
    bullets = re.findall(r"^- ", RECIPES[recipe], re.MULTILINE)
    assert len(bullets) == len(paths), "each item starts with its file"


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_mentions_files_and_names_that_exist(recipe: str) -> None:
    for path, names in items(recipe):
        assert path.is_file(), path
        text = path.read_text(encoding="utf-8")
        for name in names:
            if FILE.fullmatch(name):
                assert (ROOT / name).is_file(), f"{recipe}: {name}"
            else:
                assert re.search(rf"\b{re.escape(name)}\b", text), f"{recipe}: {path.name} has no {name}"


@pytest.mark.parametrize("recipe", RECIPES)
def test_text_around_a_recipe_mentions_files_that_exist(recipe: str) -> None:
    for code in re.findall(r"`([^`\n]+)`", ITEM.sub("", RECIPES[recipe])):
        if FILE.fullmatch(code):
            assert (ROOT / code).is_file(), f"{recipe}: {code}"


def test_every_folder_of_tests_is_described() -> None:
    described = set(re.findall(r"^\| `tests/(\w+)/` \|", TEXT, re.MULTILINE))
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert described == folders
