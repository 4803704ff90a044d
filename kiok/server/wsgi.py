"""The WSGI application, for gunicorn: `kiok.server.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from kiok.server.entry import SETTINGS, start_database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
start_database()

application = get_wsgi_application()
