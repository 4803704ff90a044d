"""Database events with their time: triggers send PostgreSQL notifications, which are timestamped on arrival."""

from __future__ import annotations

import queue
import threading
import time
from types import TracebackType

import psycopg
from psycopg import sql

_CHANNEL = "benchmark"
_POLL_SECONDS = 0.2


class Told:
    """A listener for database events, as a context manager.

    PostgreSQL sends a notification when the transaction of the event commits, so no polling disturbs the measured
    processes.
    """

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._stopping = threading.Event()
        self._heard: queue.Queue[tuple[str, float]] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Told:
        self._connection.execute(f"LISTEN {_CHANNEL}")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def tell_of(self, what: str, event: str, table: str, when: str = "") -> None:
        """Report `what` for each row that `event` (such as INSERT) changes in the table. Call it before entering.

        `when` is a condition on OLD and NEW.
        """
        name = sql.Identifier(f"tell_{what}")
        self._connection.execute(
            sql.SQL(
                "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_notify({}, {}); RETURN NULL; END $$"
            ).format(name, sql.Literal(_CHANNEL), sql.Literal(what))
        )
        condition = sql.SQL(f"WHEN ({when}) " if when else "")
        self._connection.execute(
            sql.SQL("CREATE TRIGGER {} AFTER {} ON {} FOR EACH ROW {}EXECUTE FUNCTION {}()").format(
                name, sql.SQL(event), sql.Identifier(table), condition, name
            )
        )

    def until(self, what: str, patience_seconds: float) -> dict[str, float]:
        """Wait for `what`. Return the first `perf_counter` time of each event since the last call."""
        heard: dict[str, float] = {}
        deadline = time.monotonic() + patience_seconds
        while what not in heard:
            try:
                told, at = self._heard.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise SystemExit(f"not within {patience_seconds:.0f} s: {what}") from None
            heard.setdefault(told, at)
        return heard

    def _listen(self) -> None:
        while not self._stopping.is_set():
            for notification in self._connection.notifies(timeout=_POLL_SECONDS):
                self._heard.put((notification.payload, time.perf_counter()))
