"""`manage.py rotate_master_key`: every data key under a new master key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kiok.connections.rotation import rewrap
from kiok.errors import KiokError

NEXT = """\
Now, before anything else: set KIOK_MASTER_KEY (or what KIOK_MASTER_KEY_FILE names) to the new key wherever
the service runs, and restart it. Where the key was generated, put the new one into master.key under
kiok.base.data.dir. Take KIOK_NEW_MASTER_KEY away. Until then, processes with the old key cannot use connections.
Keep the old key for as long as you keep backups that were made under it."""


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Bring every data key that encrypts connections under a new master key. The old one is read from "
        "KIOK_MASTER_KEY or KIOK_MASTER_KEY_FILE, the new one from KIOK_NEW_MASTER_KEY or "
        "KIOK_NEW_MASTER_KEY_FILE, never from the command line. All in one transaction: interrupted, run it again."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            result = rewrap(settings.KIOK_MASTER_KEY(), settings.KIOK_NEW_MASTER_KEY())
        except KiokError as exc:
            raise CommandError(f"{exc}. Nothing has changed") from exc
        self.stdout.write(f"{result.changed} data keys rewrapped, {result.current} were already")
        if not result.changed and not result.current:
            self.stdout.write("Nothing is stored yet, so either key will do.")
            return
        self.stdout.write(NEXT)
