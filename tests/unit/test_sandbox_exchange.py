"""Request and response over a real socket, with a faulty peer."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from requests.exceptions import ConnectionError as RequestsConnectionError

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Exchange, ResponseLost, StreamDemultiplexer
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import (
    FatalFrame,
    ProtocolError,
    ResponseParser,
    ResultFrame,
    end_frame,
    hello_frame,
    result_frame,
)
from tests.support.waiting import PATIENCE_SECONDS

META = {"outcome": "ok", "detail": "", "seconds": 0.1, "output": ""}
ANSWER = hello_frame() + result_frame(0, META, b"{}") + end_frame(1)


def framed(data: bytes, stream: int = 1) -> bytes:
    """Return the data with the engine's framing."""
    return struct.pack(">BxxxI", stream, len(data)) + data


def talk(
    peer: Callable[[socket.socket], object],
    request: Iterator[bytes] | None = None,
    *,
    seconds: float = 300,
    max_bytes: int = 1 << 16,
    greeted_within: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[ResultFrame | FatalFrame]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=peer, args=(theirs,), daemon=True)
    thread.start()
    with ours:
        exchange = Exchange(
            ours,
            iter([b"request"]) if request is None else request,
            ResponseParser(["a"], max_payload_bytes=1000, max_output_bytes=100),
            until=clock() + seconds,
            max_bytes=max_bytes,
            greeted_by=None if greeted_within is None else clock() + greeted_within,
            clock=clock,
        )
        return list(exchange.frames())


def test_large_request_and_large_response_do_not_deadlock() -> None:
    received = []

    def peer(sock: socket.socket) -> None:
        # Fills every buffer on the way before it reads a byte.
        sock.sendall(framed(b"noise" * 100_000, stream=2))
        left = 20 << 20
        while left:
            left -= len(sock.recv(1 << 16))
        received.append(left)
        sock.sendall(framed(ANSWER[:20]) + framed(ANSWER[20:]))

    frames = talk(peer, (b"x" * (1 << 20) for _ in range(20)), max_bytes=1 << 20)
    assert [frame.payload for frame in frames if isinstance(frame, ResultFrame)] == [b"{}"]
    assert received == [0]


def test_early_end_is_a_lost_response_with_the_drivers_message() -> None:
    def peer(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(framed(hello_frame()) + framed(b"Fatal Python error: no memory", stream=2))
        sock.close()

    with pytest.raises(
        ResponseLost, match=r"ended before its last result .driver: Fatal Python error: no memory"
    ):
        talk(peer)


def test_silent_peer_is_lost_at_the_deadline() -> None:
    with pytest.raises(ResponseLost, match="did not answer before its deadline"):
        talk(lambda sock: threading.Event().wait(3), seconds=0.3)


def test_late_greeting_is_lost_and_a_slow_response_is_not() -> None:
    now, greeted = [0.0], threading.Event()

    def clock() -> float:
        return now[0]

    def request() -> Iterator[bytes]:
        greeted.wait(PATIENCE_SECONDS)  # the greeting is there before the exchange reads
        yield b"request"

    def slow(sock: socket.socket) -> None:
        sock.sendall(framed(ANSWER[:20]))
        greeted.set()
        sock.recv(100)
        now[0] = 100.0
        sock.sendall(framed(ANSWER[20:]))

    assert len(talk(slow, request(), greeted_within=10, clock=clock)) == 1
    with pytest.raises(ResponseLost, match="did not answer"):
        talk(lambda sock: threading.Event().wait(3), greeted_within=0.3)


def test_slowly_sending_peer_is_lost_at_the_deadline() -> None:
    def peer(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(framed(b"x", stream=2))
                time.sleep(0.01)
        except OSError:
            return

    with pytest.raises(ResponseLost, match="deadline"):
        talk(peer, seconds=0.5)


def test_response_over_the_limit_is_cut_off() -> None:
    def peer(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(framed(b"x" * 65536, stream=2))
        except OSError:
            return

    with pytest.raises(ResponseLost, match="more than its results can hold"):
        talk(peer)


def test_malformed_responses_are_lost() -> None:
    with pytest.raises(ResponseLost, match="corrupt: the first frame"):
        talk(lambda sock: sock.sendall(framed(b"x" * 100)))
    with pytest.raises(ResponseLost, match="corrupt: the engine sent data of the unknown stream"):
        talk(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad request\r\n"))


def test_error_of_the_requests_source_is_raised() -> None:
    def request() -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        talk(lambda sock: threading.Event().wait(1), request())


def test_frames_of_the_engine_are_parsed_for_any_split() -> None:
    data = framed(b"one") + framed(b"", stream=2) + framed(b"two", stream=2) + framed(b"three")
    for step in range(1, len(data) + 1):
        demultiplexer = StreamDemultiplexer()
        parts = [
            part for at in range(0, len(data), step) for part in demultiplexer.feed(data[at : at + step])
        ]
        assert b"".join(part for stream, part in parts if stream == 1) == b"onethree"
        assert b"".join(part for stream, part in parts if stream == 2) == b"two"
    with pytest.raises(ProtocolError):
        list(StreamDemultiplexer().feed(framed(b"x", stream=0)))


def test_missing_permission_differs_from_a_missing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with (
        pytest.raises(SandboxUnavailable, match=r"no permission .* default socket .* group docker"),
        Engine(SandboxConfig()).answering(),
    ):
        raise RequestsConnectionError("Connection aborted.", denied)


def test_fingerprint_changes_with_each_limit() -> None:
    assert SandboxLimits().fingerprint() == SandboxLimits().fingerprint()
    assert SandboxLimits().fingerprint() != SandboxLimits(memory_bytes=(512 << 20) + 1).fingerprint()
    with pytest.raises(ValueError, match="pids is 0; it must be greater than 0"):
        SandboxLimits(pids=0)


def test_deadline_grows_with_the_files_up_to_its_limit() -> None:
    limits = SandboxLimits(file_timeout_seconds=10, jar_timeout_seconds=20, container_deadline_seconds=100)
    # A file's own time, plus 5 s for the work before and after it.
    assert limits.deadline_seconds(PYTHON, 3) == 45
    assert limits.deadline_seconds(JAVA, 3) == 75
    assert limits.deadline_seconds(PYTHON, 1000) == 100
    assert not limits.is_deadline_short(PYTHON, 6)
    assert limits.is_deadline_short(PYTHON, 7)
