"""The driver's wait for a child, with and without pidfd_open."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from compilers.images.driver import supervise
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(params=["with pidfd_open", "without pidfd_open"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Answer pidfd_open as this kernel, or as one that lacks it."""
    if request.param == "without pidfd_open":
        monkeypatch.setattr(os, "pidfd_open", _missing)
    return str(request.param)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Yield the end that the host has of the driver's standard input."""
    ours, theirs = os.pipe()
    monkeypatch.setattr(supervise, "STDIN", ours)
    yield theirs
    for end in (ours, theirs):
        os.close(end)


def _missing(_pid: int) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _watched(
    work: Callable[[int], object], *, seconds: float = PATIENCE_SECONDS, payload_bytes: int = 100
) -> tuple[bool, bytes, int | None]:
    """Run `work` in a child. Return whether its time passed, its payload, and its exit code if it had ended by itself."""
    result, result_of_child = os.pipe()
    pid = os.fork()
    if pid == 0:
        work(result_of_child)
        os._exit(7)
    os.close(result_of_child)
    watch = supervise.Watch(payload_bytes, 100)
    try:
        timed_out = supervise._watch(
            pid, {result: watch.take_payload}, watch, until=time.monotonic() + seconds
        )
        supervise._drain(result, watch.take_payload)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return timed_out, bytes(watch.payload), ended.si_status if ended else None
    finally:
        os.close(result)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.usefixtures("kernel", "host")
def test_a_child_that_ends_is_noticed_with_its_payload_and_status() -> None:
    assert _watched(lambda result: os.write(result, b"payload")) == (False, b"payload", 7)


@pytest.mark.usefixtures("kernel", "host")
def test_a_child_that_closes_its_pipe_is_waited_for() -> None:
    def close_and_work(result: int) -> None:
        os.close(result)
        time.sleep(0.2)

    assert _watched(close_and_work) == (False, b"", 7)


@pytest.mark.usefixtures("kernel", "host")
def test_a_child_whose_time_passes_is_reported() -> None:
    assert _watched(lambda _: time.sleep(600), seconds=0.1) == (True, b"", None)


@pytest.mark.usefixtures("kernel", "host")
def test_a_payload_that_is_too_large_ends_the_wait() -> None:
    def flood(result: int) -> None:
        while True:
            os.write(result, bytes(1000))

    timed_out, payload, status = _watched(flood)
    assert (timed_out, len(payload), status) == (False, 101, None)


@pytest.mark.usefixtures("kernel")
def test_data_from_the_host_ends_the_wait(host: int) -> None:
    os.write(host, b"x")
    with pytest.raises(supervise.HostDisconnected):
        _watched(lambda _: time.sleep(600))


@pytest.mark.usefixtures("host")
def test_an_error_of_pidfd_open_other_than_its_absence_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(PermissionError):
        _watched(lambda _: None)
