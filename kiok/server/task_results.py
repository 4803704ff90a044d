"""Removal of secrets from task results, which the queue's tables and pages keep.

The result of a failed task is its traceback, and a library's exception may contain all that it was given. The worker must
remove the secrets: the process that stores and logs the result does not know what was decrypted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiok.connections.redaction import redact


def take_secrets_out(task: dict[str, Any], **_: Any) -> None:
    """Redact the result of a task that has just run; receives django-q2's `post_execute_in_worker`."""
    task["result"] = _redacted(task["result"])


def _redacted(value: Any) -> Any:
    """Return the value with all texts redacted, also inside plain lists and mappings."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_redacted(item) for item in value) if type(value) in (list, tuple) else value
    return value
