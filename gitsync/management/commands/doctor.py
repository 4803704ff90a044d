"""`manage.py doctor`: check this installation."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gitsync.management import terminal
from gitsync.monitoring.doctor.runner import CHECKS, LIMIT_SECONDS, NAMES, examine
from kiok.checks import CheckResult


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Check each part of the installation on this machine. Prints one line per check with the finding and the "
        f"remedy. Takes {LIMIT_SECONDS:g} s at most. Exit status 0: no check failed; 1: a check failed."
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
        results = examine([check for check in CHECKS if check.name in chosen])
        is_well = not any(result.failed for result in results)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": is_well, "checks": [_to_json(result) for result in results]}))
        else:
            terminal.show_results(results)
        if not is_well:
            sys.exit(1)


def _to_json(result: CheckResult) -> dict[str, str]:
    return {
        "name": result.name,
        "status": result.status.value,
        "found": result.detail,
        "remedy": result.remedy,
    }
