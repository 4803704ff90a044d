"""The floor of compiling jars, each in its own JVM: bare JVMs that load the jar and exit.

They run in one container of the sandbox's Java image, with the sandbox's JVM options and cores, and with the same
parallelism as the containers. Each runs an empty `main` of the jar's DAG class, which uses the SDK.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Sequence

from compilers.images.java.jar_child.jvm import JVM_OPTIONS

_CPUS = 2  # of a container for jars, see compilers.sandbox.limits

# Runs inside the container: unpacks a tar of jars from standard input, runs the JVMs and prints the seconds.
_INSIDE = """
import json, os, subprocess, sys, tarfile, time
from concurrent.futures import ThreadPoolExecutor
settings = json.loads(sys.argv[1])
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
    tar.extractall("/tmp/jars")
def run(name):
    number = int(name[1:-4])
    path = "/opt/kiok/java/kiok-sdk.jar:/tmp/jars/" + name
    subprocess.run(["java", *settings["options"], "-cp", path, "D%d" % number], check=True)
names = sorted(os.listdir("/tmp/jars"))
run(names[0])
began = time.perf_counter()
with ThreadPoolExecutor(settings["parallelism"]) as pool:
    list(pool.map(run, names))
print(time.perf_counter() - began)
"""


def seconds(jars: Sequence[tuple[str, bytes]], *, parallelism: int) -> float:
    """Return the seconds from the start of the first JVM to the end of the last, after one that is not counted."""
    image = os.environ.get("KIOK_IMAGE_JAVA", "kiok-sandbox-java:dev")
    settings = json.dumps({"options": JVM_OPTIONS, "parallelism": parallelism})
    container = ["docker", "run", "--rm", "-i", "--network", "none", "--cpus", str(_CPUS), "--memory", "512m"]
    container += ["--tmpfs", "/tmp:exec,mode=1777", "--entrypoint", "python3", image, "-c", _INSIDE, settings]
    done = subprocess.run(container, input=_tar(jars), capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"the floor of the jars failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return float(done.stdout)


def _tar(jars: Sequence[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, content in jars:
            info = tarfile.TarInfo(path.rpartition("/")[2])
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()
