"""Logs: one line per event on stderr, without secrets.

    2026-01-02T03:04:05.678Z INFO gitsync.sync: message

Line breaks and control characters in a message are escaped, so that nothing that comes from a repository
or a server can forge a line; a traceback follows its message in the same line, its lines parted by ` | `.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from kiok.connections.redaction import redact

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """Formats a record as one redacted line. Redaction is here, after all arguments and tracebacks are in."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z"

    def format(self, record: logging.LogRecord) -> str:
        message = _line(redact(record.getMessage()))
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {message}"
        if record.exc_info and record.exc_info[0] is not None:
            lines = redact(self.formatException(record.exc_info)).splitlines()
            line += " | " + " | ".join(_line(part.strip()) for part in lines if part.strip())
        return line


def _line(text: str) -> str:
    return _CONTROL.sub(lambda match: repr(match.group())[1:-1], text)


def configuration(level: str) -> dict[str, Any]:
    """Django's LOGGING setting: everything from `level` up, to stderr."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "kiok.server.logging.LineFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # These would bring handlers of their own, and print each event twice or unredacted.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django-q": {"handlers": ["stderr"], "level": level, "propagate": False},
            "gunicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
            # At DEBUG these log statements with their parameters, and whole requests to the engine.
            "django.db.backends": {"level": "INFO"},
            "git": {"level": "WARNING"},
            "urllib3": {"level": "INFO"},
            "docker": {"level": "INFO"},
        },
    }
