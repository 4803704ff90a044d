"""What Python itself would write to stderr past the log: warnings, and the end of a thread by an error."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)


def gather() -> None:
    """Have them logged. A hook that somebody else has set stays."""
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _logged


def _logged(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = ended.thread.name if ended.thread else "unknown"
    log.error("the thread %s ended by an error", name, exc_info=ended.exc_value)
