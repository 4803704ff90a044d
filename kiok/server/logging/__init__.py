"""Logs: one line per event on stderr, without secrets, as text or as JSON (`kiok.log.format`).

    2026-01-02T03:04:05.678Z INFO gitsync.sync [8f14e45f]: message

`[8f14e45f]` is the correlation id of the operation that the event belongs to, if it has one (`kiok.correlation`). Line
breaks and control characters are escaped, so text from a repository or a server cannot forge a line.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from kiok.server.logging.formatter import LineFormatter

__all__ = ["CONSOLE", "JSON", "LineFormatter", "configuration", "log_warnings_and_exceptions"]

OURS = ("kiok", "compilers", "gitsync")
CONSOLE = "console"
JSON = "json"

log = logging.getLogger(__name__)


def configuration(level: str, rendering: str = CONSOLE) -> dict[str, Any]:
    """Return Django's LOGGING setting: this project logs to stderr from `level` up, as `console` or `json`.

    At INFO, libraries log from WARNING up, since they would report each task and each computed layout. At DEBUG they log
    everything.
    """
    of_libraries = "WARNING" if level == "INFO" else level
    formatter = {"()": "kiok.server.logging.LineFormatter", "rendering": rendering}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": of_libraries},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            # These loggers have their own handlers, which would print each event twice or unredacted.
            "django": {"handlers": [], "level": of_libraries, "propagate": True},
            "django.server": {"handlers": [], "level": of_libraries, "propagate": True},
            "django-q": {"handlers": ["stderr"], "level": of_libraries, "propagate": False},
            "gunicorn.error": {"handlers": ["stderr"], "level": of_libraries, "propagate": False},
            # axes logs names as they were typed; `kiok.authentication` logs failed logins of accounts instead.
            "axes": {"level": "ERROR"},
            # waitress warns about each request that briefly waits for a thread.
            "waitress.queue": {"level": "ERROR"},
        },
    }


def log_warnings_and_exceptions() -> None:
    """Log what Python itself writes to stderr: warnings, and exceptions that end a thread.

    An existing `threading.excepthook` is kept.
    """
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _logged


def _logged(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = ended.thread.name if ended.thread else "unknown"
    log.error("the thread %s ended with an exception", name, exc_info=ended.exc_value)
