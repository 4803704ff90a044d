"""`manage.py properties`: print every property with its value and source."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from kiok.connections.redaction import redact
from kiok.text import terminal_line


class Command(BaseCommand):
    help = "Print every kiok property: name, value, source, description. Secrets are not properties."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        lines = [{**asdict(line), "value": redact(line.value)} for line in settings.KIOK.settings()]
        for invalid in settings.KIOK.invalid_repositories:
            self.stderr.write(f"kiok: {terminal_line(str(invalid))}")
        if options["json"]:
            self.stdout.write(json.dumps(lines, indent=2))
            return
        for line in lines:
            self.stdout.write(f"{line['name']} = {line['value']}")
            self.stdout.write(f"    {line['description']} [{line['source']}]")
