"""`manage.py doctor`: check this installation."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gitsync.management import terminal
from gitsync.monitoring.doctor.finding import CheckStatus
from gitsync.monitoring.doctor.runner import LIMIT_SECONDS, examine
from gitsync.monitoring.doctor.table import CHECKS, NAMES


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Check each part of the installation on this machine, and print one line per check with the finding and the remedy: "
        f"{', '.join(NAMES)}. Takes {LIMIT_SECONDS:g} s at most. Exit status 0: no check failed; 1: a check failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on stdout, nothing else"
        )
        for option, does in (("--only", "run only this check"), ("--skip", "skip this check")):
            parser.add_argument(
                option,
                action="append",
                choices=NAMES,
                metavar="CHECK",
                default=[],
                help=f"{does}; may be given more than once",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = set(options["only"] or NAMES) - set(options["skip"])
        examined = examine([check for check in CHECKS if check.name in chosen])
        is_well = all(item.finding.status is not CheckStatus.FAIL for item in examined)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": is_well, "checks": [item.to_json() for item in examined]}))
        else:
            terminal.show_examined(examined)
        if not is_well:
            sys.exit(1)
