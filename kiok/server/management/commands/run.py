"""`manage.py run`: run the whole service in the foreground."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from kiok.connections.errors import ConnectionsError
from kiok.connections.models import check_master_key
from kiok.server import service
from kiok.server.first_start import make_first_admin
from kiok.server.logging import JSON
from kiok.text import terminal_line


class Command(BaseCommand):
    help = (
        "Run the web server and the workers in the foreground. Migrates the database first. Ctrl-C stops all."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        properties = settings.KIOK
        for invalid in properties.invalid_repositories:
            self.stderr.write(f"kiok: {terminal_line(str(invalid))}")
        call_command("migrate", interactive=False, verbosity=0, stdout=self.stdout)
        try:
            check_master_key()
        except ConnectionsError as exc:
            self.stderr.write(f"kiok: connections cannot be stored or used: {exc}")
        host = f"[{properties.web_host}]" if ":" in properties.web_host else properties.web_host
        shown = {"0.0.0.0": "localhost", "[::]": "localhost"}.get(host, host)  # noqa: S104 - compared, not bound
        self.stdout.write(f"kiok: web server at http://{shown}:{properties.web_port}/admin/")
        made = make_first_admin()
        if made is not None:
            self.stdout.write(f"kiok: first admin: user {made.username}, password {made.password}")
            self.stdout.write(
                "kiok: the password is shown only once; change it with `manage.py changepassword admin`"
            )
        status = service.run(
            {
                "web server": service.web_command(f"{host}:{properties.web_port}", properties.web_workers),
                "workers": service.workers_command(),
            },
            say=self._say,
            announce=self._announce,
        )
        if status:
            raise SystemExit(status)

    def _announce(self) -> None:
        self.stdout.write("kiok: Ctrl-C stops the service")
        self.stdout.flush()

    def _say(self, text: str) -> None:
        """Log the text if the log is JSON, so that each line is an object; else write it to stderr."""
        if settings.KIOK.log_format == JSON:
            logging.getLogger(__name__).info("%s", text)
        else:
            self.stderr.write(f"kiok: {text}")
