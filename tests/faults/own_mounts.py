"""A mount namespace for one thread: its mounts are invisible elsewhere and end with the thread."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS, unshare(2)

T = TypeVar("T")


def with_own_mounts(work: Callable[[], T]) -> T:
    """Do the work in a thread with its own mount namespace, which its child processes share. Raises its errors."""

    def run() -> T:
        _leave_mounts()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="own-mounts") as thread:
        return thread.submit(run).result()


def _leave_mounts() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        raise OSError(
            ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: only root has mounts of its own"
        )
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
