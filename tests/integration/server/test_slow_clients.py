"""Clients that stop in the middle of a request, or send and read slowly, occupy nothing that others need."""

from __future__ import annotations

import http.client
import json
import resource
import select
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.support.cluster import eventually
from tests.support.servers.ports import free_port
from tests.support.web_server import web_server

pytestmark = pytest.mark.django_db(transaction=True)

HELD = 200
PATIENCE_SECONDS = 60.0  # of a machine that does much else; how fast it is, is for the benchmark
DEADLINES = {"KIOK_WEB_HEADER_TIMEOUT_MS": "8000", "KIOK_WEB_BODY_TIMEOUT_MS": "8000"}
GET = b"GET /admin/login/ HTTP/1.1\r\nHost: localhost\r\n"
POST = (
    b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nus"
)
CHUNKED = b"POST /hooks/team/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab"
SENT = {
    "nothing": b"",
    "half a request line": b"GET /adm",
    "half a header": GET,
    "half a body": POST,
    "half a chunk": CHUNKED,
    "a request before": GET + b"\r\n",
}
TRICKLED = {"half a header": b"X-A: b\r\n", "half a body": b"x", "half a chunk": b"x"}


@pytest.fixture(scope="module", autouse=True)
def _many_open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Held:
    """Connections on which something was sent, and nothing more comes; `open` counts those that the server keeps."""

    def __init__(self, port: int, sent: bytes, count: int) -> None:
        self._sockets = []
        self._events = select.poll()
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
            if sent:
                one.sendall(sent)
            one.setblocking(False)
            self._sockets.append(one)
            self._events.register(one, select.POLLIN)

    def open(self) -> int:
        heard = {number for number, _ in self._events.poll(0)}
        return sum(one.fileno() not in heard or not _is_closed(one) for one in self._sockets)

    def send(self, data: bytes) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.send(data)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def _is_closed(one: socket.socket) -> bool:
    try:
        while one.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextmanager
def held(port: int, sent: bytes, count: int = HELD) -> Iterator[Held]:
    connections = Held(port, sent, count)
    try:
        yield connections
    finally:
        connections.close()


@contextmanager
def each_held(port: int, kinds: Iterable[str]) -> Iterator[dict[str, Held]]:
    """Hold connections of all these kinds of `SENT` at the same time."""
    with ExitStack() as stack:
        yield {what: stack.enter_context(held(port, SENT[what])) for what in kinds}


def status_of(address: str) -> int:
    with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
        return int(answer.status)


@pytest.fixture(scope="module")
def patient_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web server whose deadlines come after the tests: it closes no connection by itself."""
    log = tmp_path_factory.mktemp("patient") / "log"
    port = free_port()
    with web_server(port, log, processes=2, **dict.fromkeys(DEADLINES, "600000")):
        yield port


@pytest.fixture(scope="module")
def strict_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web server with deadlines of a few seconds, whose limit of connections no test reaches."""
    port = free_port()
    limits = {**DEADLINES, "KIOK_WEB_MAX_CONNECTIONS": "10000"}
    with web_server(port, tmp_path_factory.mktemp("strict") / "log", processes=2, **limits):
        yield port


@pytest.mark.parametrize("what", SENT)
def test_two_hundred_held_connections_delay_no_request(what: str, patient_server: int) -> None:
    with held(patient_server, SENT[what]) as others:
        for path in ("/healthz", "/readyz", "/admin/login/", "/healthz"):
            with suppress(urllib.error.HTTPError):  # nobody leads here, so it is not ready; it answers
                assert status_of(f"http://127.0.0.1:{patient_server}{path}") == 200
        assert others.open() == HELD


def wait_until_closed(others: Held) -> None:
    eventually(lambda: not others.open(), PATIENCE_SECONDS, lambda: f"{others.open()} are open")


def test_two_hundred_held_connections_are_closed_at_deadlines(
    strict_server: int, subtests: pytest.Subtests
) -> None:
    with each_held(strict_server, SENT) as kinds:
        for what, others in kinds.items():
            with subtests.test(what):
                wait_until_closed(others)
        assert status_of(f"http://127.0.0.1:{strict_server}/healthz") == 200


def test_a_byte_now_and_then_keeps_no_connection_open(strict_server: int, subtests: pytest.Subtests) -> None:
    ended = threading.Event()
    with each_held(strict_server, TRICKLED) as kinds:

        def trickle() -> None:
            while not ended.wait(0.3):
                for what, others in kinds.items():
                    others.send(TRICKLED[what])

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            assert status_of(f"http://127.0.0.1:{strict_server}/healthz") == 200
            for what, others in kinds.items():
                with subtests.test(what):
                    wait_until_closed(others)
        finally:
            ended.set()
            sender.join()


def test_a_connection_that_is_used_stays_open_over_many_deadlines(tmp_path: Path) -> None:
    port = free_port()
    with web_server(port, tmp_path / "log", KIOK_WEB_HEADER_TIMEOUT_MS="3000"):
        used = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        used.connect()
        own = used.sock
        with held(port, GET, 5) as others:
            while others.open():  # until deadlines are over for those that send nothing
                used.request("GET", "/healthz")
                assert used.getresponse().read() == b'{"status": "ok"}'
                time.sleep(0.2)
        used.request("GET", "/healthz")
        assert used.getresponse().status == 200
        assert used.sock is own, "the server closed it in between"
        used.close()


def test_at_the_limit_the_connection_that_waited_longest_makes_room(tmp_path: Path) -> None:
    port = free_port()
    limits = {**dict.fromkeys(DEADLINES, "600000"), "KIOK_WEB_MAX_CONNECTIONS": "50"}
    with (
        web_server(port, tmp_path / "log", **limits) as address,
        held(port, POST, 30) as first,
        held(port, GET, 40) as later,
    ):
        assert status_of(address + "/healthz") == 200
        eventually(lambda: first.open() == 30 - 21, PATIENCE_SECONDS, lambda: f"{first.open()} are open")
        assert later.open() == 40


def test_the_health_check_answers_while_every_thread_is_at_work(tmp_path: Path) -> None:
    """All threads wait for a lock on a table that only the test gives back."""
    User.objects.create_user("ada", password="x" * 12)
    port = free_port()
    answers: list[int] = []
    with web_server(port, tmp_path / "log", **dict.fromkeys(DEADLINES, "600000")) as address:
        body = f"{address}/api/v1/dags"
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE gitsync_apitoken IN ACCESS EXCLUSIVE MODE")
            try:
                asking = [threading.Thread(target=lambda: answers.append(_status(body))) for _ in range(12)]
                for thread in asking:
                    thread.start()
                cursor.execute("SELECT 1")
                eventually(lambda: _waiting(cursor) >= 4, PATIENCE_SECONDS, "every thread waits")
                assert status_of(address + "/healthz") == 200
                assert answers == []
            finally:
                cursor.execute("ROLLBACK")
        for thread in asking:
            thread.join(PATIENCE_SECONDS)
    assert answers == [401] * 12


def _waiting(cursor: object) -> int:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")  # type: ignore[attr-defined]
    return int(cursor.fetchone()[0])  # type: ignore[attr-defined]


def _status(address: str) -> int:
    request = urllib.request.Request(address, headers={"Authorization": "Bearer kiok_" + "x" * 43})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS * 2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code


def test_bodies_that_are_too_large_or_too_many_are_refused(tmp_path: Path) -> None:
    port = free_port()
    with web_server(port, tmp_path / "log", **dict.fromkeys(DEADLINES, "600000")) as address:
        head = b"POST /hooks/team/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as one:
            one.sendall(head % 2**31)
            assert b" 413 " in one.recv(65_536)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as one:
            with suppress(OSError):
                one.sendall(
                    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n"
                )
            assert b" 431 " in one.recv(65_536)
        data = head % (4_000_000 - 100) + b"x" * 3_900_000
        with held(port, b"", 0):
            many = []
            for _ in range(30):
                one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
                many.append(one)
                with suppress(OSError):
                    one.sendall(data)
            log = tmp_path / "log"
            eventually(
                lambda: "closed a connection from 127.0.0.1" in log.read_text(), PATIENCE_SECONDS, "the limit"
            )
            assert status_of(address + "/healthz") == 200
            for one in many:
                one.close()


def test_a_graceful_stop_finishes_requests_and_waits_for_no_slow_client(tmp_path: Path) -> None:
    port = free_port()
    found: list[str] = []
    with web_server(port, tmp_path / "log", **dict.fromkeys(DEADLINES, "600000")) as address:
        others = [Held(port, sent, 20) for sent in SENT.values()]
        found.append(json.loads(urllib.request.urlopen(f"{address}/healthz").read())["status"])
    assert found == ["ok"]  # the end of `web_server` stops it within 15 s, or fails
    eventually(lambda: not sum(one.open() for one in others), PATIENCE_SECONDS, "all are closed")
    assert "Traceback" not in (tmp_path / "log").read_text()
