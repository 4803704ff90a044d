"""Surfaces that must not contain a secret, each read to the last byte: tables, files, pages, containers."""

from __future__ import annotations

import contextlib
import html
import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

import docker
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django_q.models import OrmQ, Task

from kiok.server.logging import OURS, LineFormatter

MAX_FILE_BYTES = 64 * 1024 * 1024


def database() -> bytes:
    """Every row of every table as text, and decoded what the queue and the sessions keep encoded."""
    parts: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            parts += [f"{table}: {row[0]}" for row in cursor.fetchall()]
    parts += [repr(session.get_decoded()) for session in Session.objects.all()]
    parts += [repr(waiting.task) for waiting in OrmQ.objects.all()]
    parts += [
        repr((task.name, task.func, task.hook, task.args, task.kwargs, task.result))
        for task in Task.objects.all()
    ]
    return "\n".join(parts).encode()


def database_files() -> Iterator[tuple[Path, bytes]]:
    """The server's files of this database and its log: rows that were deleted are in there too."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        folder = Path(cursor.fetchone()[0])
        cursor.execute("CHECKPOINT")
        cursor.execute(
            "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relfilenode <> 0 AND oid >= 16384"
        )
        paths = [folder / row[0] for row in cursor.fetchall() if row[0]]
    for path in (*paths, folder / "server.log"):
        with contextlib.suppress(FileNotFoundError):
            yield path, path.read_bytes()


def files(
    root: Path, *, without: Collection[Path] = (), newer_than: float = 0.0
) -> Iterator[tuple[Path, bytes]]:
    """Every file and link under `root` with its path and content, `without` and other file systems left out."""
    # Folders come and go meanwhile; walk passes over those.
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        for name in (*folders, *names):
            path = here / name
            with contextlib.suppress(OSError):  # gone, or a socket
                content = os.fsencode(path)
                if path.is_symlink():
                    content += b"\n" + os.fsencode(path.readlink())
                # Closing the lock file of the embedded database drops this process's lock on it; it is empty.
                elif (
                    path.is_file()
                    and path.stat().st_mtime >= newer_than
                    and path.name != "postgres.users.own"
                ):
                    with path.open("rb") as file:
                        content += b"\n" + file.read(MAX_FILE_BYTES)
                yield path, content
        folders[:] = [
            name for name in folders if here / name not in without and not os.path.ismount(here / name)
        ]


class LogCapture:
    """The log lines of this process while the block runs, from DEBUG up, as the service writes them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> LogCapture:
        lines = self.lines

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record))

        self._handler = Keep(logging.DEBUG)
        self._handler.setFormatter(LineFormatter())
        # Those that have a level of their own. Lines of "kiok" and the like reach the handler of the root.
        self._loggers = [logging.getLogger(name) for name in ("", "django-q", "gunicorn.error", *OURS)]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            if logger.name not in OURS:
                logger.addHandler(self._handler)
            logger.setLevel(logging.DEBUG)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.removeHandler(self._handler)
            logger.setLevel(level)

    def content(self) -> bytes:
        return "\n".join(self.lines).encode()


class ContainerWatch:
    """The engine's descriptions of the containers with a label, recorded while the block runs."""

    def __init__(self, label: str) -> None:
        self._client = docker.from_env().api
        self._label = label
        self._done = threading.Event()
        # By container: each `docker inspect` and `docker top`, as JSON.
        self.seen: dict[str, set[str]] = {}

    def __enter__(self) -> ContainerWatch:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=600)

    def _watch(self) -> None:
        while not self._done.wait(0.2):  # a container that tells something runs for seconds
            for item in self._client.containers(all=True, filters={"label": self._label}):
                told = self.seen.setdefault(item["Id"], set())
                with contextlib.suppress(docker.errors.APIError):  # it ended meanwhile
                    told.add(json.dumps(self._client.inspect_container(item["Id"])))
                    told.add(json.dumps(self._client.top(item["Id"], ps_args="-eo pid,args")))

    def images(self) -> bytes:
        """Return the engine's description of the images of those containers."""
        names = {json.loads(text).get("Image") for texts in self.seen.values() for text in texts} - {None}
        told = [[self._client.inspect_image(name), self._client.history(name)] for name in names]
        return json.dumps(told).encode()

    def content(self) -> bytes:
        return "\n".join(text for texts in self.seen.values() for text in texts).encode()


_LINK = re.compile(r'(?:href|action|src|data-[a-z-]*url)="([^"]+)"')
_OBJECT = re.compile(r"^(/admin/\w+/\w+)/([^/]+)/(\w+)/")


def crawl(client: Client, *, start: tuple[str, ...], most_of_a_kind: int) -> dict[str, bytes]:
    """Every page of the admin that can be reached by links, as `client` sees it, by its path.

    Of the pages of one model's objects (history, deletion, ...) at most `most_of_a_kind` each are visited, the
    first met. Orders and filters of lists are not followed.
    """
    pages: dict[str, bytes] = {}
    kinds: dict[Any, int] = {}
    waiting = deque(start)
    known = set(start)
    while waiting:
        url = waiting.popleft()
        answer = client.get(url)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        pages[url] = _headers(answer) + content
        if answer.status_code in (301, 302):
            found = [answer.headers["Location"]]
        else:
            found = [html.unescape(link) for link in _LINK.findall(content.decode("utf-8", "replace"))]
        for link in found:
            path = link.partition("#")[0].partition("?")[0]
            if path.startswith(("./", "../")) or not path.startswith("/"):
                path = urljoin(url, path)
            if path in known or not path.startswith("/admin/") or path.endswith("/logout/"):
                continue
            known.add(path)
            if match := _OBJECT.match(path):
                kind = (match[1], match[3])
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] > most_of_a_kind:
                    continue
            waiting.append(path)
    return pages


def _headers(answer: Any) -> bytes:
    cookies = "\n".join(morsel.OutputString() for morsel in answer.cookies.values())
    return f"{answer.status_code}\n{dict(answer.headers)}\n{cookies}\n\n".encode()
