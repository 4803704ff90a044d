"""`manage.py backup FILE`: write the database to one file."""

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

TERMINATED = 128 + signal.SIGTERM  # the exit status that shells give a process ended by SIGTERM


class Command(BaseCommand):
    help = (
        "Write the database to one file. The service may be running. The master key is not in the file, and without it "
        "its connections cannot be read: keep both, in different places."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a new file, created with mode 0600; `-` for stdout")

    def handle(self, *_args: Any, **options: Any) -> None:
        # Stop as with Ctrl-C: pg_dump ends too, and the incomplete file is removed.
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
        self.stdout.write(f"{file}: {size} bytes. Also keep the master key, in another place: {where}.")
