"""The settings on the database of the test, with a sleep that works under libfaketime.

Up to 0.9.10 it breaks sleeping until an absolute time (clock_nanosleep(2)), which Python uses, although the clock
of that call is not faked.
"""

import select
import time

from tests.support.same_database import *  # noqa: F403


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
