"""A task for workers of the tests that end where it hurts most."""

import os
import signal
from typing import Any

from django_q.signals import post_execute_in_worker


def dies_while_reporting() -> None:
    """Kill the worker right after this task, while it holds the lock that it shares with the sentinel."""
    post_execute_in_worker.connect(_die, weak=False)


def _die(**_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
