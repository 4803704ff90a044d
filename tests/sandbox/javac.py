"""Make jars for tests: compile Java in a container with a JDK, because test machines have none.

Starting the compiler takes longer than compiling a few classes. So each process of the tests starts one container whose
compiler serves all its requests: CompilerServer.java. It ends when its standard input does, also if the process is killed.
"""

from __future__ import annotations

import atexit
import os
import struct
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

BUILDER_IMAGE = os.environ.get("KIOK_IMAGE_JAVA_BUILDER", "kiok-java-builder:dev")

_SOURCE = Path(__file__).with_name("CompilerServer.java")
_END_SECONDS = 60
# A small heap, and no second compiler of the JVM: the server runs for a few seconds in all.
_START = """
printf %s "$1" >/tmp/CompilerServer.java
LANG=C.UTF-8 exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 /tmp/CompilerServer.java
"""


def compile_jar(
    sources: Mapping[str, str],
    *,
    api: Mapping[str, str] | None = None,
    resources: Mapping[str, bytes] | None = None,
    release: int = 8,
    carry_sdk: bool = False,
    image: str = BUILDER_IMAGE,
) -> bytes:
    """Return a jar of the compiled `sources` (path to text) and of `resources` (path to content).

    They are compiled against the SDK, or only against `api`, which is then discarded. With `carry_sdk` the jar
    contains a copy of the SDK, like jars with all their dependencies. Fails with the compiler's messages.
    """
    files = {f"src/{path}": text.encode() for path, text in sources.items()}
    files |= {f"api/{path}": text.encode() for path, text in (api or {}).items()}
    files |= {f"resources/{path}": content for path, content in (resources or {}).items()}
    request = struct.pack(">B?i", release, carry_sdk, len(files))
    for path, content in files.items():
        name = path.encode()
        request += struct.pack(">H", len(name)) + name + struct.pack(">i", len(content)) + content
    with _lock:
        server = _servers.get(image)
        if server is None or server.has_ended():
            server = _servers[image] = _Server(image)
        return server.answer(request)


class _Server:
    """A compiler in a container."""

    def __init__(self, image: str) -> None:
        self._process = subprocess.Popen(
            [*_container(image), "sh", "-euc", _START, "sh", _SOURCE.read_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must not end it before the tests
        )
        atexit.register(self._end, os.getpid())

    def has_ended(self) -> bool:
        """Return whether the container has ended, perhaps with its engine."""
        return self._process.poll() is not None

    def answer(self, request: bytes) -> bytes:
        """Return the jar. Fail with the compiler's messages."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            compiled, size = struct.unpack(">?i", self._read(5))
            content = self._read(size)
        except (OSError, EOFError):
            self._process.kill()
            raise AssertionError(self._process.stderr.read().decode(errors="replace")) from None
        assert compiled, content.decode(errors="replace")
        return content

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        content = self._process.stdout.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def _end(self, owner: int) -> None:
        if os.getpid() != owner:  # a fork of the process
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_END_SECONDS)


_servers: dict[str, _Server] = {}
_lock = threading.Lock()


def in_builder(script: str) -> bytes:
    """Return the output of a shell script in a throwaway container with the JDK."""
    run = subprocess.run(
        [*_container(BUILDER_IMAGE), "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return run.stdout


def _container(image: str) -> list[str]:
    return ["docker", "run", "--rm", "--interactive", "--network", "none", image]
