"""The platform as a Django app: its management commands, and what it says at start."""

from __future__ import annotations

import logging

from django.apps import AppConfig
from django.conf import settings


class ServerConfig(AppConfig):
    name = "kiok.server"
    label = "server"

    def ready(self) -> None:
        for warning in settings.KIOK.warnings:
            logging.getLogger(__name__).warning("%s", warning)
