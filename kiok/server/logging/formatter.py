"""Formatting of a standard library log record as one line, by structlog's processors.

The order matters: the event is gathered, tracebacks become text, then everything is masked, then rendered. Nothing is
added after the masking.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import MutableMapping
from typing import Any

from kiok import correlation
from kiok.server.logging.masking import masked

Event = MutableMapping[str, Any]

# Attributes of Django's own records: the request is an object, and the message already describes it.
_NOT_SHOWN = frozenset({"request", "server_time"})


class LineFormatter(logging.Formatter):
    """Formatter that writes a record as one line; `rendering` is `console` or `json`."""

    def __init__(self, rendering: str = "console") -> None:
        super().__init__()
        self._render = {"console": as_text, "json": as_json}[rendering]
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        # Created with the first record: importing structlog takes 0.1 s, and most commands log nothing.
        if self._formatter is None:
            self._formatter = self._made()
        try:
            return self._formatter.format(record)
        except Exception as exc:  # noqa: BLE001 - logging would print the record and its arguments unmasked
            return self._formatter.format(_without_arguments(record, exc))

    def _made(self) -> logging.Formatter:
        from structlog.processors import StackInfoRenderer, format_exc_info
        from structlog.stdlib import ExtraAdder, ProcessorFormatter

        return ProcessorFormatter(
            foreign_pre_chain=[ExtraAdder()],
            processors=[
                gathered,
                ProcessorFormatter.remove_processors_meta,
                format_exc_info,
                StackInfoRenderer(),
                masked,
                self._render,
            ],
        )


def _without_arguments(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Return the same event without arguments, for a message that cannot be formatted."""
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    message = f"{template} (its arguments do not match: {type(error).__name__})"
    return logging.makeLogRecord({**vars(record), "msg": message, "args": ()})


def gathered(_logger: object, _method: str, event: Event) -> Event:
    """Gather the event's own fields and its correlation fields, before all other fields (structlog processor)."""
    record: logging.LogRecord = event["_record"]
    context = correlation.fields()
    if not context and (known := getattr(getattr(record, "request", None), correlation.ID, "")):
        context = {correlation.ID: known}  # Django logs a response after the request has ended
    own = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        + f".{record.msecs:03.0f}Z",
        "level": record.levelname,
        "logger": record.name,
        "event": event["event"],
        **context,
        "pid": record.process,
        "thread": record.threadName,
    }
    return own | {name: value for name, value in event.items() if name not in own and name not in _NOT_SHOWN}


def as_text(_logger: object, _method: str, event: Event) -> str:
    """Render `time LEVEL logger [id]: message`, with the lines of a traceback joined by ` | ` (structlog processor)."""
    known = event.get(correlation.ID)
    place = f"{event['logger']} [{known}]" if known else event["logger"]
    line = f"{event['timestamp']} {event['level']} {place}: {event['event']}"
    traceback = [part.strip() for name in ("exception", "stack") for part in event.get(name, ())]
    return " | ".join([line, *filter(None, traceback)])


def as_json(_logger: object, _method: str, event: Event) -> str:
    """Render one JSON object in ASCII. A traceback is one multi-line text, as log stores expect (structlog processor)."""
    joined = {name: "\n".join(event[name]) for name in ("exception", "stack") if name in event}
    return json.dumps({**event, **joined}, allow_nan=False)
