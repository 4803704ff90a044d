"""Configuration on the command line, and commands with an invalid configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiok.server import properties
from kiok.server.entry import take_config
from kiok.server.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "rest", "config"),
    [
        (["m", "--config", "f", "run"], ["m", "run"], "f"),
        (["m", "run", "--config=f", "-v"], ["m", "run", "-v"], "f"),
        (["m", "run"], ["m", "run"], None),
        (["m", "run", "--", "--config", "x"], ["m", "run", "--", "--config", "x"], None),
    ],
)
def test_config_is_taken_from_anywhere_in_the_command_line(
    given: list[str], rest: list[str], config: str
) -> None:
    assert take_config(given) == (rest, config)


@pytest.mark.parametrize("given", [["m", "run", "--config"], ["m", "--config=", "run"]])
def test_config_without_a_file_is_an_error(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--config requires the path"):
        take_config(given)


def manage(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_the_properties_command_prints_name_value_and_source(config: Path) -> None:
    config.write_text("kiok.workers=5\n")
    done = manage("properties", "--json", "--config", str(config), KIOK_WEB_PORT="8123")
    assert done.returncode == 0, done.stderr
    found = {line["name"]: line for line in json.loads(done.stdout)}
    assert found.keys() == properties.TABLE.keys()
    assert found["kiok.workers"]["value"] == "5"
    assert found["kiok.workers"]["source"] == f"{config}:1"
    assert found["kiok.web.port"]["source"] == "environment variable KIOK_WEB_PORT"
    assert os.environ["KIOK_MASTER_KEY"] not in done.stdout
    plain = manage("--config", str(config), "properties")
    assert "kiok.workers = 5\n" in plain.stdout


def test_properties_command_prints_a_markdown_table_of_defaults(config: Path) -> None:
    config.write_text("kiok.workers=5\n")
    done = manage("properties", "--markdown", "--config", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "reference" / "properties.md").read_text(encoding="utf-8")
    assert done.stdout in page
    assert len(done.stdout.splitlines()) == len(properties.TABLE) + 2
    assert manage("properties", "--markdown", "--json").returncode != 0


@pytest.mark.parametrize("name", ["KIOK_WEB_HOST", "DATABASE_URL", "KIOK_CONFIG", "KIOK_REDIS_URL"])
def test_a_variable_that_is_not_utf_8_ends_a_command_with_status_2(name: str, tmp_path: Path) -> None:
    environ = {**os.environ, "KIOK_BROKER": "redis"} if name == "KIOK_REDIS_URL" else {**os.environ}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "gitsync", "--list"],
        env={**{k.encode(): v.encode() for k, v in environ.items()}, name.encode(): b"x\xff"},
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("kiok: ")


def test_an_argument_that_is_not_utf_8_ends_a_command_with_status_2() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "gitsync", "--list", "--repo", b"\xff"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kiok: argument 4 of the command line holds the byte 0xFF")


def test_a_wrong_configuration_ends_any_command_with_status_2() -> None:
    done = manage("check", KIOK_WORKERS="none")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "kiok: environment variable KIOK_WORKERS: kiok.workers is 'none': not a whole number; "
        "write it without unit, fraction or separators; allowed: a whole number from 1 to 64\n"
    )
