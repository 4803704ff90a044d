"""`manage.py sandbox_check`: does this host give what the sandbox promises?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compilers.base import CompilerError
from gitsync.management import terminal
from gitsync.monitoring.sandbox_check import examination


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Start a container as syncs do, try its walls from inside, and print each layer: what is promised, what was "
        "found. Exit status 0: all as promised; 1: something gives less, or there is no engine."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = examination()
        except CompilerError as exc:
            if options["json"]:
                self.stdout.write(json.dumps({"ok": False, "error": str(exc)}))
            raise CommandError(str(exc)) from exc
        if options["json"]:
            self.stdout.write(json.dumps(found.to_json()))
        else:
            terminal.show_examination(found)
        if not found.ok:
            sys.exit(1)
