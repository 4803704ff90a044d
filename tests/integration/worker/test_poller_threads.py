"""The threads of polls: one for each concurrent poll, with a database connection that is kept between polls."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from gitsync.worker import poller
from gitsync.worker.poller import Threads
from tests.support.cluster import eventually
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)

# A thread, and the database session that it uses.
Seen = tuple[int, int]


def noting(seen: list[Seen]) -> Callable[[], None]:
    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            seen.append((threading.get_ident(), cursor.fetchone()[0]))

    return work


def has_session(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [pid])
        return bool(cursor.fetchone()[0])


def free(threads: Threads) -> int:
    return threads._free


def test_one_poll_after_the_other_uses_one_thread_and_one_connection() -> None:
    threads, seen = Threads(), []
    for number in range(5):
        assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
        eventually(lambda: free(threads) == 1, 20, f"the thread to be free after poll {number}")
    assert len(seen) == 5
    assert len(set(seen)) == 1


def test_concurrent_polls_have_a_thread_and_a_connection_each() -> None:
    threads, seen = Threads(), []
    together = threading.Barrier(4)

    def work() -> None:
        noting(seen)()
        together.wait(PATIENCE_SECONDS)

    ended = [threads.start(work) for _ in range(3)]
    together.wait(PATIENCE_SECONDS)
    assert all(event.wait(PATIENCE_SECONDS) for event in ended)
    assert len({thread for thread, _ in seen}) == len({session for _, session in seen}) == 3


def test_a_thread_without_work_ends_and_a_new_one_takes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "IDLE_SECONDS", 0.01)
    threads, seen = Threads(), []
    before = set(threading.enumerate())
    assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
    eventually(lambda: set(threading.enumerate()) <= before, 20, "the thread to end")
    assert free(threads) == 0
    assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
    assert len({session for _, session in seen}) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_ends_its_thread_delays_no_other() -> None:
    threads, seen = Threads(), []

    def work() -> None:
        raise SystemExit

    assert threads.start(work).wait(PATIENCE_SECONDS)
    assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
    assert len(seen) == 1


def test_a_connection_that_broke_is_replaced() -> None:
    threads, seen = Threads(), []
    assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
    eventually(lambda: free(threads) == 1, 20, "the thread to be free")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [seen[0][1]])
    eventually(lambda: not has_session(seen[0][1]), 10, "the end of the session")
    assert threads.start(noting(seen)).wait(PATIENCE_SECONDS)
    assert len({session for _, session in seen}) == 2
    assert len({thread for thread, _ in seen}) == 1
