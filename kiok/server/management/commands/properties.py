"""`manage.py properties`: print every property with its value and source."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from kiok.connections.redaction import redact
from kiok.server import marked_text
from kiok.server.properties import TABLE, settings_of
from kiok.text import terminal_line


class Command(BaseCommand):
    help = "Print every kiok property: name, value, source, description. Secrets are not properties."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        formats = parser.add_mutually_exclusive_group()
        formats.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
        formats.add_argument(
            "--markdown",
            action="store_true",
            help="print the table of docs/reference/properties.md: name, default, description",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["markdown"]:
            self.stdout.write(markdown_table())
            return
        lines = [{**asdict(line), "value": redact(line.value)} for line in settings_of(settings.KIOK)]
        for invalid in settings.KIOK.invalid_repositories:
            self.stderr.write(f"kiok: {terminal_line(str(invalid))}")
        if options["json"]:
            self.stdout.write(json.dumps(lines, indent=2))
            return
        for line in lines:
            self.stdout.write(f"{line['name']} = {line['value']}")
            self.stdout.write(f"    {line['description']} [{line['source']}]")


def markdown_table() -> str:
    """Return every property with its default and its description, as a Markdown table."""
    rows = []
    for line in TABLE.values():
        default = line.parser.show(line.default)
        rows.append((f"`{line.name}`", f"`{default}`" if default else "", line.description))
    return marked_text.table(("property", "default", "meaning"), rows)
