"""Common start of all entry points, before Django: read the configuration, start the embedded database."""

from __future__ import annotations

import gc
import logging
import os
import re
import select
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.core.management import (
    BaseCommand,
    ManagementUtility,
    get_commands,
    load_command_class,
)

from kiok.properties.parsers import flaw_of
from kiok.server import command_output, embedded, failures, keys, properties
from kiok.server.errors import ConfigurationError, DatabaseUnavailable
from kiok.text import terminal_line

SETTINGS = "kiok.server.settings"

# Commands that need no database. All others get it.
WITHOUT_DATABASE = frozenset({"help", "version", "properties", "makemessages", "compilemessages", "startapp"})

DOCTOR = "doctor"
TRACEBACK = "--traceback"  # Django's own option of every command

_log = logging.getLogger(__name__)


def take_config(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments without `--config FILE` or `--config=FILE`, and FILE. Raises ConfigurationError."""
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
            raise ConfigurationError("--config requires the path of a properties file")
    return rest, config


def start_database() -> None:
    """Start the embedded database if the configuration uses it. Raises ConfigurationError."""
    data_dir = properties.load(os.environ).base_data_dir
    if (keys.from_environment("DATABASE_URL", os.environ) or embedded.url(data_dir)) == embedded.url(
        data_dir
    ):
        embedded.ensure(data_dir)


def start_collecting() -> None:
    """Enable garbage collection, and exclude the objects of the start from it: they live until the process ends."""
    gc.freeze()
    gc.enable()


class _Commands(ManagementUtility):
    """Django's management commands, without garbage collection during the start, where it costs a tenth of the time.

    Nothing is started or written before the command's arguments are parsed: neither `--help` nor a wrong argument may
    leave a data folder, a key or a database behind.
    """

    def main_help_text(self, commands_only: bool = False) -> str:
        """Return the commands of this project, each with the first sentence of its help, then the others."""
        text = super().main_help_text(commands_only)
        if commands_only or self.settings_exception is not None:
            return text
        ours = {name: app for name, app in get_commands().items() if command_output.is_ours(app)}
        summaries = {name: _summary(load_command_class(app, name)) for name, app in sorted(ours.items())}
        width = max(map(len, summaries))
        others = "\n".join(f"    {name}" for name in sorted(get_commands().keys() - ours.keys()))
        return "\n".join(
            (
                f"Usage: {self.prog_name} COMMAND [--config FILE] ...",
                f"`{self.prog_name} COMMAND --help` describes a command.",
                "",
                "Commands of kiok:",
                "",
                *(f"    {name:{width}}  {summary}" for name, summary in summaries.items()),
                "",
                "Commands of Django and other packages:",
                "",
                others,
            )
        )

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        command_output.make_printable(command)
        if subcommand not in WITHOUT_DATABASE:
            # `run_from_argv` calls `execute` once the arguments are parsed.
            command.execute = partial(_execute, command.execute, subcommand)  # type: ignore[method-assign]
        start_collecting()
        return command


def _summary(command: BaseCommand) -> str:
    return re.split(r"(?<=\.) ", command.help)[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run manage.py. Errors are reported as plain messages, or with `--traceback` as a traceback.

    Exits with status 2 for a wrong configuration, and with status 1 for every other error. Defects are logged, with their
    traceback on the same line.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    gc.disable()
    given = list(sys.argv if arguments is None else arguments)
    try:
        _run(given)
    except (Exception, KeyboardInterrupt) as exc:  # broad: every error is reported or logged
        if TRACEBACK in given:
            raise
        raise SystemExit(_tell(exc)) from exc


def _tell(exc: BaseException) -> int:
    """Write to stderr what stopped the command; return the exit status."""
    if isinstance(exc, BrokenPipeError) and _reader_is_gone():
        return failures.FAILED
    failure = failures.told(exc)
    if failure is None:
        _log.critical("defect in this service: %s", type(exc).__name__, exc_info=exc)
        failure = failures.defect(exc)
    for line in failure.words:
        _say(line)
    return failure.status


def _reader_is_gone() -> bool:
    """Return whether the reader of stdout is gone, as after `| head`; then discard the rest, which would fail at exit."""
    look = select.poll()
    look.register(sys.stdout.fileno())
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _run(given: Sequence[str]) -> None:
    for number, argument in enumerate(given):
        if reason := flaw_of(argument):
            raise ConfigurationError(f"argument {number} of the command line {reason}")
    argv, config = take_config(given)
    if config is not None:
        os.environ[properties.CONFIG_VARIABLE] = config
    properties.load(os.environ)
    _Commands(argv).execute()
    sys.stdout.flush()  # here, where a failure is still reported


def _execute(execute: Callable[..., str | None], subcommand: str, *args: Any, **options: Any) -> str | None:
    """Start the database, then run the command; the doctor also runs without one, to report on everything else."""
    try:
        start_database()
    except (DatabaseUnavailable, OSError) as exc:  # OSError: mostly a full disk
        if subcommand != DOCTOR:
            raise
        _say(str(exc))
    return execute(*args, **options)


def _say(text: str) -> None:
    """Write each line of the text to stderr."""
    for line in text.splitlines():
        sys.stderr.write(f"kiok: {terminal_line(line)}\n")
