"""Compiling one Python file in a process of its own: what it changes, prints or kills stays there.

This keeps files apart from each other and from the caller; it is no sandbox. Use it for files you
would run yourself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kiok.compiled import CompiledFile, CompiledFileError, decode
from kiok.errors import Diagnostic

# Safe path (-P) keeps the current folder, which may hold a `json.py`, off sys.path; the package is found
# by the folder it was loaded from, which does not stay on the path either.
_START = """
import sys
sys.path.insert(0, sys.argv[1])
from kiok.isolated import child
del sys.path[0]
child(sys.argv[2], sys.argv[3:])
"""


def compile_in_own_process(file: str, import_roots: Sequence[str]) -> CompiledFile:
    """`compile_python_file` in a new interpreter, whose prints go to this process's stderr.

    A process that dies without a result (a crash, `os._exit`) is a diagnostic.
    """
    home = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _START, home, file, *import_roots],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        return decode(done.stdout)
    except CompiledFileError:
        code = done.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        message = f"the process that ran this file {how} before it gave a result"
        return CompiledFile(diagnostics=(Diagnostic(message, file),), import_failed=True)


def child(file: str, import_roots: Sequence[str]) -> None:
    """Compile `file` and write the result to stdout, where nothing else may write. Ends the process."""
    result = os.dup(1)
    os.dup2(2, 1)  # prints, also those of C code, must not get into the result
    sys.argv = [file]
    from kiok.python_dag import compile_python_file

    payload = compile_python_file(file, import_roots).encode()
    for stream in (sys.stdout, sys.stderr):
        # The file may have replaced or closed it; then there is nothing to show.
        with suppress(Exception):
            stream.flush()
    with os.fdopen(result, "wb") as out:
        out.write(payload)
    os._exit(0)  # threads and exit handlers of the file have no say any more
