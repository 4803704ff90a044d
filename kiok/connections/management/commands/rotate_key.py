"""`manage.py rotate_key`: create a new data key, and optionally re-encrypt all connections."""

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
        "Create a new version of the data key that encrypts connections. Older versions still decrypt what "
        "they encrypted; --reencrypt encrypts every connection with the new one. If interrupted, continue with "
        "--reencrypt-only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--reencrypt", action="store_true", help="create a new version, then re-encrypt every connection"
        )
        which.add_argument(
            "--reencrypt-only",
            action="store_true",
            help="create no new version; re-encrypt connections that use older ones",
        )
        which.add_argument(
            "--master-key-lost",
            action="store_true",
            help="permanently discard the data keys that the current master key does not decrypt; the values that they "
            "encrypt must be entered again. Only for a master key that is lost",
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
        self.stdout.write(f"{result.changed} connections re-encrypted, {result.current} were already current")
        for failure in result.failures:
            self.stderr.write(terminal_line(failure))
        if result.failures:
            raise CommandError(
                f"{len(result.failures)} connections could not be re-encrypted and are unchanged"
            )

    def _give_up(self) -> None:
        """Discard the lost data keys and report the result. Raises ConnectionsError."""
        result = give_up()
        if not result.keys:
            self.stdout.write(
                "The master key decrypts every data key: nothing is lost, and nothing was changed."
            )
            return
        self.stdout.write(
            f"{result.keys} data keys discarded, data key {DataKey.current().version} is active"
        )
        for name in result.connections:
            self.stdout.write(f"enter the properties of {terminal_line(name)} again")
