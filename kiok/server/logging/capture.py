"""Logging of what Python itself writes to stderr: warnings, and exceptions that end a thread."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)


def gather() -> None:
    """Send warnings and uncaught exceptions of threads to the log. An existing `threading.excepthook` is kept."""
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _logged


def _logged(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = ended.thread.name if ended.thread else "unknown"
    log.error("the thread %s ended with an exception", name, exc_info=ended.exc_value)
