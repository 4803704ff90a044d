"""A PostgreSQL for the fault tests, on its own disk: it is killed, and its disk and connections are used up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connections

from kiok.server import embedded
from tests.faults.small_disk import SmallDisk, small_disk

DISK_MEGABYTES = 512  # an empty server takes some 80, and its log of changes grows


class Server:
    """A durable server, as in production."""

    def __init__(self, disk: SmallDisk) -> None:
        self.disk = disk
        self.base = disk.folder / "data"

    @property
    def url(self) -> str:
        return embedded.url(self.base)

    def start(self) -> None:
        """Do nothing if it runs. Django's connections are opened again."""
        connections.close_all()
        before = os.environ.get("DATABASE_URL")
        try:
            embedded.ensure(self.base)
        finally:
            if before is not None:
                os.environ["DATABASE_URL"] = before

    def stop_at_once(self) -> None:
        """Stop it like a crash: every session is cut and nothing is written; the next start recovers."""
        embedded._pg_ctl(self.base, "stop", "-m", "immediate", "-w")

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return embedded._connect(self.base, embedded.DATABASE)

    def take_all_connections(self) -> list[psycopg.Connection[tuple[object, ...]]]:
        """Connect until the server takes no more. Close them to let others in."""
        taken = []
        while True:
            try:
                taken.append(self.connect())
            except psycopg.OperationalError as exc:
                if "too many clients" not in str(exc):
                    raise
                return taken

    @contextmanager
    def used_here(self) -> Iterator[None]:
        """Django in this process works on it, in every thread."""
        settings = connections.settings["default"]
        before = {name: settings[name] for name in ("HOST", "NAME")}
        connections.close_all()
        settings.update(HOST=str(embedded._socket_dir(self.base)), NAME=embedded.DATABASE)
        try:
            yield
        finally:
            connections.close_all()
            settings.update(before)


@contextmanager
def own_server(folder: Path) -> Iterator[Server]:
    """A running server with the tables of this version; nothing of it is left in the end."""
    with ExitStack() as stack:
        server = Server(stack.enter_context(small_disk(folder, DISK_MEGABYTES)))
        server.start()
        stack.callback(embedded.release, server.base)
        with server.used_here():
            call_command("migrate", verbosity=0)
        yield server
