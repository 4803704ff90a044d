"""The settings, on the database of the test that starts a process with them."""

import os

from kiok.server.settings import *  # noqa: F403
from kiok.server.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE_NAME"]
