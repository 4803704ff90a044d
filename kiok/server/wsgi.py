"""The WSGI application, for gunicorn: `kiok.server.wsgi:application`."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from kiok.server.entry import SETTINGS, start_collecting, start_database

gc.disable()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
start_database()

application = get_wsgi_application()
_ = get_resolver().url_patterns  # every page is imported now: the first visitor waits no longer than others
start_collecting()
