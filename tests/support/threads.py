"""Concurrent calls, in threads with their own database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections

from tests.support.waiting import PATIENCE_SECONDS


def at_once(count: int, action: Callable[[int], object]) -> None:
    """Call `action(0)` to `action(count - 1)` concurrently. Fail the test if a call raises or does not end."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait(PATIENCE_SECONDS)
            action(number)
        except BaseException as exc:  # noqa: BLE001 - handed to the test below, whatever it is
            errors.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert errors == []
    assert not any(thread.is_alive() for thread in threads)
