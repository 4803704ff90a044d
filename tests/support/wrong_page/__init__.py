"""Settings, and an app: the service with one page that no check lets pass."""

from __future__ import annotations

from kiok.server.settings import *  # noqa: F403
from kiok.server.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.wrong_page"]
