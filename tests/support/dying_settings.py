"""The settings on the database of the test, for workers that also run the task of `tests.support.dying`."""

from gitsync.queue import task_allowlist
from tests.support.same_database import *  # noqa: F403

task_allowlist.FUNCTIONS |= {"tests.support.dying.dies_while_reporting"}
