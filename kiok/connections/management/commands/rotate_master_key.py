"""`manage.py rotate_master_key`: rewrap every data key with a new master key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kiok.connections.rotation import rewrap
from kiok.errors import KiokError

NEXT = """\
Do this now: set KIOK_MASTER_KEY (or the file that KIOK_MASTER_KEY_FILE names) to the new key on every machine
of the service, and restart it. If the key was generated, put the new one into master.key in
kiok.base.data.dir. Unset KIOK_NEW_MASTER_KEY. Until then, processes with the old key cannot use connections.
Keep the old key as long as you keep backups that were made with it."""


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Rewrap every data key that encrypts connections with a new master key. The old one is read from "
        "KIOK_MASTER_KEY or KIOK_MASTER_KEY_FILE, the new one from KIOK_NEW_MASTER_KEY or "
        "KIOK_NEW_MASTER_KEY_FILE, never from the command line. It runs in one transaction: if interrupted, run it again."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            result = rewrap(settings.KIOK_MASTER_KEY(), settings.KIOK_NEW_MASTER_KEY())
        except KiokError as exc:
            raise CommandError(f"{exc}. Nothing has changed") from exc
        self.stdout.write(f"{result.changed} data keys rewrapped, {result.current} were already current")
        if not result.changed and not result.current:
            self.stdout.write("No data key is stored yet, so you can use either key.")
            return
        self.stdout.write(NEXT)
