"""Compilation of a jar with a script in place of the JVM."""

from __future__ import annotations

import sys
from pathlib import Path

from compilers.images.java.jar_child import Java, compile_jar, prefork
from kiok.compiled import CompiledFile, decode

# What the driver's Channel writes, for a script that stands in for the JVM.
PRELUDE = f"""#!{sys.executable}
import json, os, signal, struct, subprocess, sys, time
fd = int(sys.argv[4])
order = sys.stdin.buffer.read()
first, jar = struct.unpack(">i", order[:4])[0], order[8:].decode()
def raw(data):
    while data:
        data = data[os.write(fd, data):]
def send(kind, body=b""): raw(kind + struct.pack(">I", len(body)) + body)
def hello(*classes):
    raw(b"KIOKJAR1")
    send(b"C", "/".join(classes).encode())
def begin(i): send(b"B", struct.pack(">i", i))
def dag(i, id, script="true"):
    spec = {{"id": id, "tasks": [{{"id": "t", "script": script}}]}}
    send(b"R", struct.pack(">i", i) + json.dumps(spec).encode())
def failed(i, line, text): send(b"X", struct.pack(">ii", i, line) + text.encode())
"""
MAX_PAYLOAD_BYTES = 64 << 10


class Bench:
    """Compiles a jar with a script in place of the JVM."""

    def __init__(self, folder: Path) -> None:
        self.java = folder / "java"
        self._java = Java(str(self.java), class_path="none", options=(), rehearsal="none")
        self.jar = folder / "some.jar"
        self.jar.write_bytes(b"PK")
        self.payload = b""

    def compile(self, script: str, *, timeout_seconds: float = 120, ahead: bool = False) -> CompiledFile:
        self.java.write_text(PRELUDE + script)
        self.java.chmod(0o755)
        self.payload = compile_jar(
            str(self.jar),
            "lib/some.jar",
            timeout_seconds=timeout_seconds,
            max_payload_bytes=MAX_PAYLOAD_BYTES,
            java=self._java,
            ahead=prefork(self._java) if ahead else None,
        )
        return decode(self.payload)


def ids(compiled: CompiledFile) -> list[str]:
    return [dag.id for dag in compiled.dags]


def messages(compiled: CompiledFile) -> list[str]:
    return [diagnostic.message for diagnostic in compiled.diagnostics]
