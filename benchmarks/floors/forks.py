"""The floor of compiling Python files, each in its own process: forks that import the SDK.

It runs as a program, so that only what it needs is in memory when it forks:

    python -I -X pycache_prefix=FOLDER benchmarks/floors/forks.py late|early|compile COUNT PARALLELISM <payload

- `late`: each child imports the SDK and sends the payload through a pipe;
- `early`: like `late`, with the SDK imported before the fork, like in the sandbox's driver;
- `compile`: like `early`, and each child compiles the DAG file named on standard input.

Each of PARALLELISM parents runs its children one after the other. The program prints the seconds from the first fork to the
end of the last child. One child before them is not counted: it writes the SDK's bytecode to FOLDER, so that the others need
not compile it.
"""

from __future__ import annotations

import os
import sys
import time

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120


def seconds(mode: str, payload: bytes, *, count: int = 1, parallelism: int = 1) -> float:
    """Run this file as a program and return its figure."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as bytecode:
        # Isolated, so that no variable of the environment forbids bytecode.
        command = [sys.executable, "-I", "-X", f"pycache_prefix={bytecode}", __file__]
        command += [mode, str(count), str(parallelism)]
        done = subprocess.run(command, input=payload, capture_output=True, check=True)
    return float(done.stdout)


def _child(mode: str, payload: bytes, result: int) -> None:
    import kiok.compile

    if mode == "compile":
        import json

        compiled = kiok.compile.compile_python_file(payload.decode())
        payload = json.dumps(compiled.to_json(), separators=(",", ":")).encode()
    view = memoryview(payload)
    while view:
        view = view[os.write(result, view) :]


def _one(mode: str, payload: bytes) -> None:
    mine, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            _child(mode, payload, theirs)
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    received = 0
    while data := os.read(mine, 1 << 16):
        received += len(data)
    os.close(mine)
    if os.waitpid(pid, 0)[1] or not received or (mode != "compile" and received != len(payload)):
        raise SystemExit("a child of the floor failed")


def _parent(mode: str, payload: bytes, count: int) -> int:
    pid = os.fork()
    if not pid:
        status = 1
        try:
            for _ in range(count):
                _one(mode, payload)
            status = 0
        finally:
            os._exit(status)
    return pid


def main() -> None:
    mode, count, parallelism = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    payload = sys.stdin.buffer.read()
    sys.path.insert(0, _ROOT)
    if mode != "late":
        import json  # noqa: F401  the child needs it too

        import kiok.compile  # noqa: F401
    _one(mode, payload)
    began = time.perf_counter()
    shares = [count // parallelism + (at < count % parallelism) for at in range(parallelism)]
    parents = [_parent(mode, payload, share) for share in shares]
    if any(os.waitpid(pid, 0)[1] for pid in parents):
        raise SystemExit("a parent of the floor failed")
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
