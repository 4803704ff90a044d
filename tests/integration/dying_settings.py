"""The settings on the database of the test, for workers that also run the task of `tests.integration.dying`."""

from gitsync.queue import task_allowlist
from tests.integration.same_database import *  # noqa: F403

task_allowlist.FUNCTIONS |= {"tests.integration.dying.dies_while_reporting"}
