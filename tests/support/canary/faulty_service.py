"""The settings of a service in which fetching from some repositories breaks in a way nobody foresaw.

The error says all that git was given: the worst that could be raised while a credential is in use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import OperationalError

from gitsync.git.process import GitProcess
from tests.support.canary import BREAKS_THE_DATABASE, BREAKS_UNEXPECTEDLY
from tests.support.same_database import *  # noqa: F403

_finish = GitProcess.finish


def finish(self: GitProcess, *arguments: Any, **options: Any) -> tuple[int, bytes]:
    words = [str(word) for word in self._popen.args]  # type: ignore[union-attr]  # it is a list
    if "fetch" in words:
        told = f"git {words} with {Path(f'/proc/{self.pid}/environ').read_bytes()!r}"
        if any(word.endswith(BREAKS_UNEXPECTEDLY) for word in words):
            raise RuntimeError(told)
        if any(word.endswith(BREAKS_THE_DATABASE) for word in words):
            raise OperationalError(told)
    return _finish(self, *arguments, **options)


GitProcess.finish = finish  # type: ignore[method-assign]
