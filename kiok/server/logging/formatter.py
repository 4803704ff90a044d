"""From a record of the standard library's logging to its line, by structlog's processors.

The order counts: the event is gathered, tracebacks become text, then everything is masked, then written. Nothing is added
after the masking.
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

# Of Django's own, on each of its records: the request is an object, and what it says is in the message.
_NOT_SHOWN = frozenset({"request", "server_time"})


class LineFormatter(logging.Formatter):
    """Formats a record as one line, for `rendering` `console` or `json`."""

    def __init__(self, rendering: str = "console") -> None:
        super().__init__()
        self._render = {"console": as_text, "json": as_json}[rendering]
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        # With the first record: structlog takes a tenth of a second to import, and most commands log nothing.
        if self._formatter is None:
            self._formatter = self._made()
        try:
            return self._formatter.format(record)
        except Exception as exc:  # noqa: BLE001 - logging would print record and arguments as they are, past the masking
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
    """The same event where its message cannot be made."""
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    said = f"{template} (its arguments do not fit: {type(error).__name__})"
    return logging.makeLogRecord({**vars(record), "msg": said, "args": ()})


def gathered(_logger: object, _method: str, event: Event) -> Event:
    """Processor: what the event says of itself, its place and its undertaking, before whatever else it carries."""
    record: logging.LogRecord = event["_record"]
    context = correlation.fields()
    if not context and (known := getattr(getattr(record, "request", None), correlation.ID, "")):
        context = {correlation.ID: known}  # Django's word on an answer comes after the request is over
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
    """Processor: `time LEVEL logger [id]: message`, and a traceback in the same line, its lines parted by ` | `."""
    known = event.get(correlation.ID)
    place = f"{event['logger']} [{known}]" if known else event["logger"]
    line = f"{event['timestamp']} {event['level']} {place}: {event['event']}"
    traceback = [part.strip() for name in ("exception", "stack") for part in event.get(name, ())]
    return " | ".join([line, *filter(None, traceback)])


def as_json(_logger: object, _method: str, event: Event) -> str:
    """Processor: one object, ASCII alone. A traceback is one text of many lines, as log stores expect it."""
    joined = {name: "\n".join(event[name]) for name in ("exception", "stack") if name in event}
    return json.dumps({**event, **joined}, allow_nan=False)
