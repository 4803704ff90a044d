"""Marked secrets, where they could leak to, and how to find them there."""

from __future__ import annotations

# Repositories whose fetch breaks where the service runs with `FAULTY_SERVICE` for settings.
BREAKS_UNEXPECTEDLY = "breaks-unexpectedly.git"
BREAKS_THE_DATABASE = "breaks-the-database.git"
FAULTY_SERVICE = "tests.support.canary.faulty_service"
