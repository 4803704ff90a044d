"""Django app of the service: its management commands, its warnings at start, and task results without secrets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.conf import settings

from kiok.connections.redaction import redact
from kiok.server.logging import log_warnings_and_exceptions


class ServerConfig(AppConfig):
    name = "kiok.server"
    label = "server"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker

        post_execute_in_worker.connect(take_secrets_out, dispatch_uid="kiok.server.apps")
        log_warnings_and_exceptions()
        for warning in settings.KIOK.warnings:
            logging.getLogger(__name__).warning("%s", warning)
        for one in settings.KIOK_RISKS:
            logging.getLogger(__name__).warning("%s (accepted by kiok.allow.insecure)", one.detail)


def take_secrets_out(task: dict[str, Any], **_: Any) -> None:
    """Redact the result of a task that has just run; receives django-q2's `post_execute_in_worker`.

    The result of a failed task is its traceback, and a library's exception may contain all that it was given. The queue's
    tables and pages keep it. The worker must remove the secrets: the process that stores and logs the result does not
    know what was decrypted.
    """
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
