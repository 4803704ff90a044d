"""`manage.py restore FILE`: load a backup into an empty database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from kiok.server import keys
from kiok.server.backup import BackupError, load, unknown_migrations, wrong_key


class Command(BaseCommand):
    help = (
        "Load a file of `manage.py backup` into an empty database. Updates its tables to this version, and checks that the "
        "master key decrypts it. Exit status 0: the data is complete and readable; 1: it is incomplete or unreadable, and "
        "the message says why."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help="a file written by `manage.py backup`; `-` for stdin"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["file"] == "-":
                load(sys.stdin.buffer)
            else:
                with Path(options["file"]).open("rb") as source:
                    load(source)
        except BackupError as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"{options['file']} cannot be read: {exc.strerror}") from exc
        if unknown := unknown_migrations():
            raise CommandError(
                f"The database is restored, but a newer version wrote it ({', '.join(unknown[:5])}): start that version, "
                "or restore an older backup into an empty database."
            )
        call_command("migrate", interactive=False, verbosity=0)
        if why := wrong_key():
            file = settings.KIOK.base_data_dir / keys.MASTER_KEY_FILE
            place = f"KIOK_MASTER_KEY, or {file}" if settings.KIOK_EMBEDDED else "KIOK_MASTER_KEY"
            raise CommandError(
                f"The database is restored completely, but its connections cannot be read: {why}. Nothing is lost. Start "
                f"the service with the master key that was in use when the backup was made: {place}."
            )
        self.stdout.write("The database is restored, and the master key decrypts it. Start the service.")
