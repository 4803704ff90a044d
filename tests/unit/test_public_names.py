"""Names that users rely on: the API, properties, the command line and metrics.

`public_names.json` is the snapshot. A name may be added to it with a feature; none is changed or removed without a new
API version or a deprecation. Update it with `python -m tests.unit.test_public_names`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import django
import pytest

SNAPSHOT = Path(__file__).with_name("public_names.json")
TEXTS = {"description", "summary", "title", "examples", "example"}


def without_texts(value: Any, *, names: bool = False) -> Any:
    """Return a part of an OpenAPI document without its texts; in `names`, keys are names and not keywords."""
    if isinstance(value, dict):
        return {
            key: without_texts(below, names=key in ("properties", "responses", "schemas", "paths", "headers"))
            for key, below in value.items()
            if names or key not in TEXTS
        }
    if isinstance(value, list):
        return [without_texts(below) for below in value]
    return value


def command_options() -> dict[str, list[str]]:
    """Return the arguments of each management command of this project, subcommands included."""
    from django.core.management import get_commands, load_command_class

    found: dict[str, list[str]] = {}

    def collect(name: str, parser: argparse.ArgumentParser) -> None:
        found[name] = sorted(
            option for action in parser._actions for option in (action.option_strings or [action.dest])
        )
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for subcommand, below in action.choices.items():
                    collect(f"{name} {subcommand}", below)

    for name, app in get_commands().items():
        if isinstance(app, str) and app.startswith(("kiok", "gitsync")):
            collect(name, load_command_class(app, name).create_parser("manage.py", name))
    return found


def metric_names() -> dict[str, list[str]]:
    """Return the type and the labels of each metric."""
    from gitsync.monitoring import metrics

    return {
        value.name: [value.kind, *value.labels]
        for value in vars(metrics).values()
        if isinstance(value, metrics.Metric)
    }


def public_names() -> dict[str, Any]:
    """Return all public names of this checkout, as JSON values."""
    from gitsync.api.service import api
    from kiok.server.properties import TABLE

    document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    return {
        "openapi": {key: without_texts(document[key], names=True) for key in ("paths", "components")},
        "properties": {name: [line.variable, line.parser.show(line.default)] for name, line in TABLE.items()},
        "commands": command_options(),
        "metrics": metric_names(),
    }


@pytest.mark.parametrize("kind", ["openapi", "properties", "commands", "metrics"])
def test_public_names_are_those_of_the_snapshot(kind: str) -> None:
    assert public_names()[kind] == json.loads(SNAPSHOT.read_text())[kind]


def main() -> None:
    """Write the snapshot of this checkout."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kiok.server.settings")
    django.setup()
    SNAPSHOT.write_text(json.dumps(public_names(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
