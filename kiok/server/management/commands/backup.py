"""`manage.py backup FILE`: the database in one file."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kiok.server import keys
from kiok.server.backup import BackupError, dump, dump_to

TERMINATED = 128 + signal.SIGTERM
"""As a shell counts what SIGTERM ended."""


class Command(BaseCommand):
    help = (
        "Write the database into one file, while the service runs or not. The master key is not in it, and without that "
        "its connections cannot be read: keep both, apart from each other."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a new file, made with mode 0600; `-` for stdout")

    def handle(self, *_args: Any, **options: Any) -> None:
        # As Ctrl-C does: pg_dump ends too, and the half file goes.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
        try:
            if options["file"] == "-":
                dump_to(sys.stdout.buffer)
                return
            file = Path(options["file"])
            size = dump(file)
        except BackupError as exc:
            raise CommandError(str(exc)) from exc
        finally:
            signal.signal(signal.SIGTERM, before)
        generated = settings.KIOK.base_data_dir / keys.MASTER_KEY_FILE
        where = generated if settings.KIOK_EMBEDDED and generated.exists() else "KIOK_MASTER_KEY"
        self.stdout.write(f"{file}: {size} bytes. Keep the master key too, elsewhere: {where}.")
