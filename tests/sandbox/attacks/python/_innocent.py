"""Innocent DAG whose task contains its surroundings: leftovers of another file would change it."""

import hashlib
import json
import os
import resource
import sys
import threading

from shared import GREETING

from kiok import Dag


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


umask = os.umask(0o077)
surroundings = {
    "greeting": GREETING,
    "source": _digest(__file__),
    "shared": _digest(os.path.join(os.path.dirname(__file__), "shared.py")),
    "modes": [oct(os.stat(path).st_mode) for path in (__file__, "/src", "/tmp")],
    "tmp": os.listdir("/tmp"),
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "umask": umask,
    "path": sys.path,
    "json": json.__file__,
    "limits": [resource.getrlimit(which) for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)],
    "processors": len(os.sched_getaffinity(0)),
    "priority": os.getpriority(os.PRIO_PROCESS, 0),
    "threads": threading.active_count(),
}
dag = Dag("innocent", schedule="5 * * * *")
dag.task("surroundings", script=json.dumps(surroundings, sort_keys=True))
dag.task("shell", script="echo hello", requires=["surroundings"])
