"""Tables of docs/reference/cli.md: the commands of this project with their options, from their argument parsers."""

from __future__ import annotations

import re
import textwrap
from argparse import Action, ArgumentParser

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from kiok.server import marked_text

from .text import markdown

PACKAGES = ("gitsync", "kiok.")
WIDTH = 100
# The page that describes what a command is for.
PAGES = {
    "backup": "[Backup and restore](../operate/backup.md)",
    "connection_warnings": "[Connections](../operate/connections.md#who-may-use-it)",
    "doctor": "[Doctor](../operate/troubleshooting/doctor.md)",
    "gitsync": "[below](#output-of-gitsync)",
    "migrate": "[Upgrade](../operate/upgrade.md)",
    "properties": "[Properties](properties.md)",
    "qcluster": "[Several machines](../operate/several-machines.md)",
    "restore": "[Backup and restore](../operate/backup.md)",
    "rotate_key": "[Keys](../operate/keys.md#rotate-the-data-key)",
    "rotate_master_key": "[Keys](../operate/keys.md#rotate-the-master-key)",
    "run": "[Install](../operate/install.md)",
    "sandbox_check": "[Isolation layers](../operate/sandbox.md#isolation-layers)",
}
_COMMON = {
    option for action in BaseCommand().create_parser("", "")._actions for option in action.option_strings
}
_COMMON_USAGE = re.compile(
    r" \[(-h|--version|-v \{0,1,2,3\}|--settings SETTINGS|--pythonpath PYTHONPATH|--traceback|--no-color"
    r"|--force-color|--skip-checks)\]"
)


def commands() -> dict[str, BaseCommand]:
    """Return the commands of this project by name, sorted. Django must be set up."""
    return {
        name: load_command_class(app, name)
        for name, app in sorted(get_commands().items())
        if isinstance(app, str) and f"{app}.".startswith(PACKAGES)
    }


def tables() -> dict[str, str]:
    """Return the list of commands, and a section for each command that has arguments or exit statuses of its own."""
    rows = []
    sections = []
    for name, command in commands().items():
        text, statuses = parts_of(command.help)
        rows.append((f"`{name}`", markdown(re.split(r"(?<=\.) ", text)[0]), PAGES.get(name, "")))
        actions = arguments(name, command)
        if actions or statuses:
            sections.append(_section(name, command, text, actions, statuses))
    return {
        "commands": marked_text.table(("command", "purpose", "more"), rows),
        "arguments": "\n\n".join(sections),
    }


def parts_of(help_text: str) -> tuple[str, dict[str, str]]:
    """Return a command's help without its exit statuses, and the meaning of each status."""
    text, _, statuses = help_text.partition(" Exit status ")
    pairs = (part.partition(": ") for part in re.split(r"; (?=\d+: )", statuses.removesuffix(".")))
    return text, {status: meaning for status, _, meaning in pairs if meaning}


def arguments(name: str, command: BaseCommand) -> list[Action]:
    """Return the arguments that a command adds itself to those that all commands have."""
    if "add_arguments" not in vars(type(command)):
        return []  # those of Django or django-q2
    parser = command.create_parser("manage.py", name)
    return [action for action in parser._actions if not _COMMON & set(action.option_strings)]


def usage(name: str, command: BaseCommand) -> str:
    """Return the usage of a command in one line, without the options that all commands have."""
    parser: ArgumentParser = command.create_parser("manage.py", name)
    return _COMMON_USAGE.sub("", " ".join(parser.format_usage().split()).removeprefix("usage: "))


def _section(
    name: str, command: BaseCommand, text: str, actions: list[Action], statuses: dict[str, str]
) -> str:
    parts = [f"### `manage.py {name}`"]
    if actions:
        parts.append(f"```\n{usage(name, command)}\n```")
    parts.append(textwrap.fill(markdown(text), WIDTH, break_on_hyphens=False, break_long_words=False))
    if actions:
        rows = [(_argument(action), _meaning(action)) for action in actions]
        parts.append(marked_text.table(("argument", "meaning"), rows))
    if statuses:
        rows = [(status, markdown(meaning)) for status, meaning in statuses.items()]
        parts.append(marked_text.table(("exit status", "meaning"), rows))
    return "\n\n".join(parts)


def _argument(action: Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _meaning(action: Action) -> str:
    if not action.help:
        raise ValueError(f"the argument {action.dest} has no help")
    text = markdown(action.help)
    if action.choices:
        text += f". Allowed values: {', '.join(f'`{choice}`' for choice in action.choices)}"
    if action.nargs != 0 and action.default:
        text += f". Default: `{action.default}`"
    return text
