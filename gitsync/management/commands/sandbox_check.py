"""`manage.py sandbox_check`: check that this host provides the sandbox's isolation layers."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compilers.source import CompilerError
from gitsync.management import terminal
from gitsync.monitoring.sandbox_check import examination


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Test the isolation layers of a container from inside. Starts it as a sync does, and prints the expected and the "
        "found state of each layer. Exit status 0: all layers are as expected; 1: a layer is not, or there is no engine."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on stdout, nothing else"
        )

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
