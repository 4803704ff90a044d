"""`manage.py rotate_key`: a new data key, and on request everything under it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kiok.connections.errors import ConnectionsError
from kiok.connections.models import DataKey
from kiok.connections.rotation import give_up, reencrypt
from kiok.text import terminal_line


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Make a new version of the data key that encrypts connections. Older versions go on decrypting what "
        "they encrypted; --reencrypt brings every connection under the new one. Interrupted, continue with "
        "--reencrypt-only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--reencrypt", action="store_true", help="then encrypt every connection anew")
        which.add_argument(
            "--reencrypt-only",
            action="store_true",
            help="no new version; encrypt anew what is under older ones",
        )
        which.add_argument(
            "--master-key-lost",
            action="store_true",
            help="give up the data keys that the present master key does not open, for good: what is stored under them "
            "has to be entered again. For when the old one is nowhere any more",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["master_key_lost"]:
                self._give_up()
                return
            if options["reencrypt_only"]:
                key = DataKey.current()
            else:
                key = DataKey.rotate()
                self.stdout.write(f"data key {key.version} is active")
            if options["reencrypt"] or options["reencrypt_only"]:
                result = reencrypt()
        except ConnectionsError as exc:
            raise CommandError(str(exc)) from exc
        if not (options["reencrypt"] or options["reencrypt_only"]):
            return
        self.stdout.write(f"{result.changed} connections encrypted anew, {result.current} were already")
        for failure in result.failures:
            self.stderr.write(terminal_line(failure))
        if result.failures:
            raise CommandError(f"{len(result.failures)} connections were left as they are")

    def _give_up(self) -> None:
        """Raises ConnectionsError."""
        result = give_up()
        if not result.keys:
            self.stdout.write(
                "The master key opens every data key: nothing is lost, and nothing was changed."
            )
            return
        self.stdout.write(f"{result.keys} data keys given up, data key {DataKey.current().version} is active")
        for name in result.connections:
            self.stdout.write(f"enter the properties of {terminal_line(name)} again")
