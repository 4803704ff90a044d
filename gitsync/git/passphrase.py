"""Check of a private key's passphrase after a refused login.

ssh does not report a wrong passphrase. It continues without the key, and the server refuses the login.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from gitsync.git.gitpython import GitCommandNotFound
from gitsync.git.process import GitProcess, OutputLimitPassed, TimeLimitPassed

_SECONDS = 10.0
_MAX_BYTES = 64 * 1024
WRONG = (
    "the property 'passphrase' does not open the connection's privateKey. Check it with: ssh-keygen -y -f KEY"
)


def is_wrong_passphrase(key: Path, environment: Mapping[str, str]) -> bool:
    """Return whether ssh-keygen cannot open the key with the passphrase from the environment's askpass.

    Returns False if that is unknown. `environment` is that of the ssh process that used the key.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        return False
    asking = {**environment, "KIOK_ASK_KIND": "key"}
    try:
        with GitProcess([program, "-y", "-f", str(key)], directory=key.parent, environment=asking) as process:
            status, _ = process.finish(None, timeout_seconds=_SECONDS, max_output_bytes=_MAX_BYTES)
            return status != 0 and "incorrect passphrase" in process.stderr
    except (GitCommandNotFound, OSError, TimeLimitPassed, OutputLimitPassed):
        return False
