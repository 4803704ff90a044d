"""Django app of the service: its management commands and its warnings at start."""

from __future__ import annotations

import logging

from django.apps import AppConfig
from django.conf import settings

from kiok.server import task_results
from kiok.server.logging import capture


class ServerConfig(AppConfig):
    name = "kiok.server"
    label = "server"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker

        post_execute_in_worker.connect(task_results.take_secrets_out, dispatch_uid="kiok.server.task_results")
        capture.gather()
        for warning in settings.KIOK.warnings:
            logging.getLogger(__name__).warning("%s", warning)
        for one in settings.KIOK_RISKS:
            logging.getLogger(__name__).warning("%s (accepted by kiok.allow.insecure)", one.detail)
