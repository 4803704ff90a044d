"""Logger of gunicorn's main process, in which Django does not configure the logging."""

from __future__ import annotations

import os

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from kiok.server import properties
from kiok.server.errors import ConfigurationError
from kiok.server.logging.formatter import LineFormatter


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """Logger for `--logger-class` that uses the format of the rest of the service."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        formatter = LineFormatter(_rendering())
        for logger in (self.error_log, self.access_log):
            for handler in logger.handlers:
                handler.setFormatter(formatter)


def _rendering() -> str:
    try:
        return properties.load(os.environ).log_format
    except ConfigurationError:
        return "console"  # the application does not start either, and reports the error
