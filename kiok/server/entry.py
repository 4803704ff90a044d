"""What every entry point does before Django starts: read the configuration, start the embedded database."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from django.core.management import BaseCommand, ManagementUtility

from kiok.server import embedded, keys, properties
from kiok.server.errors import ConfigurationError, DatabaseUnavailable

SETTINGS = "kiok.server.settings"

# Commands that need no database. Everything else gets it.
WITHOUT_DATABASE = frozenset({"help", "version", "properties", "makemessages", "compilemessages", "startapp"})

DOCTOR = "doctor"


def take_config(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments without `--config FILE` or `--config=FILE`, and FILE. Raises ConfigurationError."""
    rest: list[str] = []
    config = None
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif argument == "--config":
            config = next(remaining, "")
        elif argument.startswith("--config="):
            config = argument.removeprefix("--config=")
        else:
            rest.append(argument)
            continue
        if config == "":
            raise ConfigurationError("--config wants the path of a properties file")
    return rest, config


def start_database() -> None:
    """Start the embedded database if that is the one to use. Raises ConfigurationError."""
    data_dir = properties.load(os.environ).base_data_dir
    if (keys.from_environment("DATABASE_URL", os.environ) or embedded.url(data_dir)) == embedded.url(
        data_dir
    ):
        embedded.ensure(data_dir)


def start_collecting() -> None:
    """Look for garbage from now on, in what comes from now on: what the start has made stays until the end."""
    gc.freeze()
    gc.enable()


class _Commands(ManagementUtility):
    """Django's, which looks for no garbage while it starts: there is none, and it costs a tenth of the start."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        start_collecting()
        return command


def main(arguments: Sequence[str] | None = None) -> None:
    """manage.py. A wrong configuration is told in plain words and ends with status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    gc.disable()
    try:
        argv, config = take_config(sys.argv if arguments is None else arguments)
        if config is not None:
            os.environ[properties.CONFIG_VARIABLE] = config
        properties.load(os.environ)
        if _wants_database(argv):
            _start_database(argv)
        _Commands(argv).execute()
    except ConfigurationError as exc:
        for line in str(exc).splitlines():
            sys.stderr.write(f"kiok: {line}\n")
        raise SystemExit(2) from exc


def _start_database(argv: Sequence[str]) -> None:
    """As `start_database`; the doctor goes on without one, to say what else there is."""
    try:
        start_database()
    except DatabaseUnavailable as exc:
        if argv[1] != DOCTOR:
            raise
        sys.stderr.write(f"kiok: {exc}\n")


def _wants_database(argv: Sequence[str]) -> bool:
    return len(argv) > 1 and argv[1] not in WITHOUT_DATABASE and not {"--help", "-h", "--version"} & set(argv)
