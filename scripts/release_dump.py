"""Write a database dump of a released version, for the tests of upgrading from it.

    release_dump.py COMMIT        the commit or tag of the release; writes tests/integration/dumps/<version>.sql

The code of that commit creates the tables and the rows (scripts/release_rows.py): a few in every table, among them a
repository that it has synced. It is done once for each release, as part of it. A dump is never replaced, since later
versions are tested against the data that the released version wrote.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = r"^(--.*|SET transaction_timeout = 0;)\n"  # comments, and a setting that PostgreSQL 17 introduced
DUMPS = ROOT / "tests" / "integration" / "dumps"
MASTER_KEY = "a master key that only the tests use"  # the same as in tests/support/environment.py
sys.path.insert(0, str(ROOT))

from release_rows import SERVED_AT  # noqa: E402 - found through the line above

from kiok.server import embedded, postgresql_programs  # noqa: E402


def main(commit: str) -> Path:
    """Write the dump and return its path. Raises CalledProcessError, and SystemExit if the file exists."""
    with tempfile.TemporaryDirectory(prefix="kiok-release-") as name:
        folder = Path(name)
        code = folder / "code"
        _check_out(commit, code)
        file = DUMPS / f"{_version(code)}.sql"
        if file.exists():
            raise SystemExit(f"{file} exists and is not replaced")
        data = folder / "data"
        url = embedded.ensure(data, durable=False)
        try:
            _fill(code, folder, data, url)
            text = _dumped(url).replace(f"file://{folder}/served/dags.git", SERVED_AT)
        finally:
            embedded.release(data)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _check_out(commit: str, code: Path) -> None:
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    with tempfile.TemporaryFile() as file:
        file.write(archive.stdout)
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            tar.extractall(code, filter="data")


def _version(code: Path) -> str:
    found = re.search(
        r'^version = "([0-9.]+)"$', (code / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    if found is None:
        raise SystemExit("pyproject.toml of that commit has no version")
    return found[1]


def _fill(code: Path, folder: Path, data: Path, url: str) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KIOK_")},
        "DATABASE_URL": url,
        "KIOK_BASE_DATA_DIR": str(data),
        "KIOK_MASTER_KEY": MASTER_KEY,
        "KIOK_GITSYNC_ALLOW_PROTOCOLS": "file",
        "DJANGO_SETTINGS_MODULE": "kiok.server.settings",
        "PYTHONPATH": str(code),
    }
    for command in (
        ["manage.py", "migrate", "--verbosity=0"],
        [str(ROOT / "scripts/release_rows.py"), str(folder)],
    ):
        subprocess.run([sys.executable, *command], cwd=code, env=environment, check=True)


def _dumped(url: str) -> str:
    """Return the database as SQL, without the parts that differ between two runs, and loadable from PostgreSQL 14 on."""
    command = [
        str(postgresql_programs.folder() / "pg_dump"),
        "--no-owner",
        "--no-privileges",
        "--restrict-key=kiok",
        url,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return re.sub(r"\n{3,}", "\n\n", re.sub(_LEFT_OUT, "", done.stdout, flags=re.MULTILINE))


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:])}\n")
