"""Make the archive of loaded classes that every JVM of the image maps: run once, when the image is built.

    python3 -m jar_child.archive

The classes that a warm-up loads are recorded, written to the archive with the options of the real JVMs, and tested: the
JVM maps an archive only for the same JVM, garbage collector and class path. JDK 17 also compares sizes and times of the
jars. The archive also holds objects, laid out for a heap of the usual size; for another size they are moved, which takes
slightly longer. It is static, because a dynamic one is layered on the JDK's own and starts slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from .jvm import ARCHIVE, JAVA, Java


def make(java: Java = JAVA) -> None:
    """Record, dump and check. Raises CalledProcessError, with the JVM's own message on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = os.path.join(folder, "classes")  # noqa: PTH118
        _run(java.command(0, more=("-Xshare:off", f"-XX:DumpLoadedClassList={recorded}")))
        with open(recorded) as file:  # noqa: PTH123
            classes = [line for line in file if _is_of_the_class_path(line)]
        with open(recorded, "w") as file:  # noqa: PTH123
            file.writelines(classes)
        _run(
            java.command(0, more=("-Xshare:dump", f"-XX:SharedClassListFile={recorded}", "-Xlog:cds=warning"))
        )
    check(java)


def check(java: Java = JAVA) -> None:
    """Raise CalledProcessError if a JVM cannot map the archive."""
    _run(java.command(0, more=("-Xshare:on",)))


def _is_of_the_class_path(line: str) -> bool:
    """Return whether the class is not of the warm-up jar, whose classes no other jar has."""
    return "source:" not in line and "com/example/" not in line


def _run(command: Sequence[str]) -> None:
    """Run a JVM without an order, so that it ends after its warm-up."""
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    make()
    print(f"{ARCHIVE}: {os.path.getsize(ARCHIVE)} bytes", file=sys.stderr)  # noqa: T201, PTH202
