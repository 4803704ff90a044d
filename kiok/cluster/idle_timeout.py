"""A transaction in which others may wait lets the server end its session when its process is stopped in the midst of it.

See docs/adr/0025-stopped-workers.md.
"""

from __future__ import annotations

from django.db import connection

STANDSTILL_SECONDS = 20.0
"""Between two statements. As long as a claim lasts: whoever stands still for longer has lost what it had anyway."""


def limit_standstill() -> None:
    """For the rest of the transaction; to be called before the first lock. Raises database errors."""
    with connection.cursor() as cursor:
        # Not of the session: that would not survive a pooler.
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{STANDSTILL_SECONDS:g}s'")
