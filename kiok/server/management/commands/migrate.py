"""`manage.py migrate`: Django's own command, in one process at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.migrate import Command as DjangoMigrate

from kiok.server.first_start import alone_on


class Command(DjangoMigrate):
    help = (
        "Migrate the tables to this version, in one process at a time. `manage.py run` does so itself. Takes the options of "
        "Django's command."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        # Two processes that create the same table or content type fail with an IntegrityError.
        with alone_on(options["database"]):
            super().handle(*args, **options)
