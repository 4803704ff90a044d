"""Commands that stop at their arguments: they leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiok.server.keys import SECRETS

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = (
    *("backup", "doctor", "gitsync", "migrate", "properties", "qcluster", "restore", "rotate_key"),
    *("rotate_master_key", "run", "sandbox_check", "createsuperuser"),
)


def manage(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` as on a machine where the service never ran."""
    environ = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={
            **environ,
            "KIOK_BASE_DATA_DIR": str(data),
            "HOME": str(data.parent),
            "TMPDIR": str(data.parent),
        },
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("help",), 0),
        (("--version",), 0),
        (("properties",), 0),
        (("nosuch",), 1),
        (("gitsync",), 2),
        (("gitsync", "--now", "--repo"), 2),
        (("doctor", "--only", "nosuch"), 2),
        (("backup",), 2),
        (("--config",), 2),
        *(((command, "--help"), 0) for command in COMMANDS),
        *((("help", command), 0) for command in ("gitsync", "run")),
        *(((command, "--nosuch"), 2) for command in COMMANDS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_help_and_wrong_arguments_create_nothing(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    done = manage(tmp_path / "data", *arguments)
    assert done.returncode == status, done.stderr
    assert list(tmp_path.iterdir()) == []
