"""Checks of the keys and of the permissions of the files that contain secrets."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from django.conf import settings

from gitsync.monitoring.doctor.check import fail, ok, warn
from kiok.checks import CheckResult
from kiok.cluster.conf import properties
from kiok.connections.errors import ConnectionsError
from kiok.connections.models import Connection, DataKey, check_master_key

SAMPLE = 200  # of more connections, a random sample is decrypted
PATIENCE_SECONDS = 5.0
MAX_NAMED = 3
_GENERATED = ("master.key", "secret.key")
_MOUNTED = "/run/secrets/"  # secrets of a container, with mode 0444; the container has no other users


def master_key() -> CheckResult:
    """Check that the master key decrypts the data keys, and all connections or a sample of many."""
    if _is_to_be_generated():
        # The check must not generate a key.
        if DataKey.objects.exists():
            return fail(
                "the generated master key is missing, and stored connections are encrypted with it",
                f"Restore {properties().base_data_dir / _GENERATED[0]} from the backup before anything else.",
            )
        return ok("no key yet; it is generated with the first connection")
    try:
        check_master_key()
    except ConnectionsError as exc:
        return fail(str(exc), "Start the service with the key that the connections were encrypted with.")
    number = Connection.objects.count()
    began, opened, broken = time.monotonic(), 0, []
    for row in Connection.objects.order_by("?" if number > SAMPLE else "pk")[:SAMPLE].iterator():
        if time.monotonic() - began > PATIENCE_SECONDS:
            break
        opened += 1
        try:
            row.properties()
        except ConnectionsError as exc:
            broken.append(f"{row.pk}: {exc}")
    if broken:
        return fail(
            f"{len(broken)} of {opened} connections cannot be decrypted: {'; '.join(broken[:MAX_NAMED])}",
            "Enter these properties again, and find out who else writes to the database.",
        )
    keys = DataKey.objects.count()
    which = f"all {number}" if opened == number else f"{opened} of {number}"
    return ok(f"it decrypts {keys} data keys and {which} connections")


def _is_to_be_generated() -> bool:
    given = any(os.environ.get(f"KIOK_MASTER_KEY{suffix}") for suffix in ("", "_FILE"))
    return settings.KIOK_EMBEDDED and not given and not (properties().base_data_dir / _GENERATED[0]).exists()


def files() -> CheckResult:
    """Check that other users of this machine cannot read the files that contain secrets."""
    data_dir = properties().base_data_dir
    loose = [f"{path} is {_mode(path):04o}" for path in _own(data_dir) if _mode(path) & 0o077]
    if loose:
        return fail(
            f"readable by others: {', '.join(loose)}", "`chmod 0600` the files and `chmod 0700` the folder."
        )
    given = [
        Path(value)
        for name, value in os.environ.items()
        if name.endswith("_FILE") and _is_ours(name) and value
    ]
    open_to_all = [
        f"{path} is {_mode(path):04o}"
        for path in given
        if path.is_file()
        and _mode(path) & 0o007
        and not str(path).startswith(_MOUNTED)
        and _is_reachable(path)
    ]
    if open_to_all:
        return warn(
            f"readable by everyone: {', '.join(open_to_all[:MAX_NAMED])}",
            "`chmod 0640` the files, or stricter.",
        )
    number = len(_own(data_dir)) + len(given)
    return ok(f"{number} files checked, none readable by others")


def _own(data_dir: Path) -> list[Path]:
    paths = (data_dir, *(data_dir / name for name in _GENERATED))
    return [path for path in paths if path.exists()]


def _is_ours(variable: str) -> bool:
    return variable.startswith("KIOK_") or variable in ("DATABASE_URL_FILE", "DJANGO_SECRET_KEY_FILE")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _is_reachable(path: Path) -> bool:
    """Return whether other users can reach the path: no parent folder denies them access."""
    return all(_mode(folder) & 0o001 for folder in path.resolve().parents)
