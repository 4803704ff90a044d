"""Results of tasks: what the queue's tables and pages keep of them holds no secret.

A task that raises leaves its traceback there, and what a library raises may say all that it was given. It has to
be seen to in the worker: the process that stores and logs the result does not know what was decrypted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiok.connections.redaction import redact


def take_secrets_out(task: dict[str, Any], **_: Any) -> None:
    """Redact the result of a task that has just run; a receiver of django-q2's `post_execute_in_worker`."""
    task["result"] = _redacted(task["result"])


def _redacted(value: Any) -> Any:
    """Text, wherever it stands in plain lists and mappings; anything else as it is."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_redacted(item) for item in value) if type(value) in (list, tuple) else value
    return value
