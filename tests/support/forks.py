"""`manage.py` in forks of a process that has loaded the libraries, which takes most of the time of a command.

The service itself is loaded in the fork, with the environment and the arguments of the command.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Libraries that read neither settings nor the environment when they are imported.
_LIBRARIES = (
    *("asyncio", "concurrent.futures", "email.message", "multiprocessing", "urllib.request"),
    *("cryptography.fernet", "cryptography.hazmat.primitives.serialization", "docker", "prometheus_client"),
    *("psutil", "psycopg", "requests", "rich.console", "rich.table", "sqlparse", "structlog", "yaml"),
    *("django.core.management", "django.core.handlers.wsgi", "django.db.backends.postgresql.base"),
    *(
        "django.db.migrations.executor",
        "django.db.models",
        "django.forms",
        "django.shortcuts",
        "django.template",
    ),
    *("django.urls", "django.views.generic"),
)
_PROGRAM = """
import importlib, json, os, runpy, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path in enumerate((os.devnull, *order["outputs"])):
            os.dup2(os.open(path, os.O_RDWR), number)
        sys.stdin = open(0)
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = ["manage.py", *order["arguments"]]
        runpy.run_path("manage.py", run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class _Parent:
    """The process that is forked. It is started for the first command, and ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], terminal: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end. What it writes goes to the terminal with this path, if there is one."""
        with self._lock, tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            process = self._started()
            requested = {
                "arguments": [*arguments],
                "environment": dict(environment),
                "outputs": [terminal or out.name, terminal or err.name],
            }
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(requested) + "\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            texts = [Path(file.name).read_text(encoding="utf-8") for file in (out, err)]
        return subprocess.CompletedProcess(["manage.py", *arguments], status, *texts)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(_LIBRARIES)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            atexit.register(self._process.communicate)
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == "ready\n"
        return self._process


run = _Parent().run
