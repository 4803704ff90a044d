"""The WSGI application, for gunicorn: `kiok.server.wsgi:application`."""

from __future__ import annotations

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from kiok.server.entry import SETTINGS, start_collecting, start_database
from kiok.server.errors import ConfigurationError
from kiok.text import terminal_line

NEVER_BOOTS = 3  # exit status that tells gunicorn not to restart this process (gunicorn.arbiter)

gc.disable()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
try:
    start_database()
    application = get_wsgi_application()
except ConfigurationError as exc:
    for line in str(exc).splitlines():
        sys.stderr.write(f"kiok: {terminal_line(line)}\n")
    raise SystemExit(NEVER_BOOTS) from exc
_ = get_resolver().url_patterns  # import every page now, so that the first request is as fast as others
start_collecting()
