"""Signals to the process that runs the service's processes."""

from __future__ import annotations

import os
import signal

from kiok.server import service


def test_signal_right_after_the_start_stops_the_service() -> None:
    output: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    status = service.run({}, say=output.append, announce=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert (status, output) == (0, ["stopping"])
    assert signal.getsignal(signal.SIGTERM) is before
