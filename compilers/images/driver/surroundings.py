"""Explain to the author what an exception of a file has to do with the sandbox.

The host adds what only it knows: limits and the image (`compilers.sandbox.hints`).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, ModuleType, TracebackType
from typing import Any

_MAX_CHAIN = 10
_TMP = "/tmp/"  # noqa: S108  the container's own tmpfs
# Paths, not imports: the driver needs neither module, and a container must start fast.
_STANDARD_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
_SOCKET = f"{_STANDARD_LIBRARY}/socket.py"
_SUBPROCESS = f"{_STANDARD_LIBRARY}/subprocess.py"
_ENVIRON: CodeType = type(os.environ).__getitem__.__code__
_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ECONNREFUSED, errno.EADDRNOTAVAIL}
)
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PYTHON = f"the sandbox runs Python {sys.version_info.major}.{sys.version_info.minor}"

_NETWORK = "the sandbox has no network: let a task call other systems, or commit the data to the repository"
_VARIABLE = (
    "the sandbox has none of your environment variables: give a default, os.environ.get(name, default), or write "
    "${secret.NAME} or ${conn.ID.KEY} into the task, which is resolved when it runs"
)
_RELATIVE = (
    "the working directory in the sandbox is /, not the file's folder: "
    "use pathlib.Path(__file__).parent / {name!r}"
)
_NOT_IN_TREE = (
    "the sandbox contains only the files of the commit: if only a folder of the repository is synced, "
    "`include` must list the files outside it that are needed"
)
_NOT_IN_IMAGE = "the sandbox contains the repository's files and its image, but nothing from your computer"
_PROGRAM = "the sandbox image has no such program"
_NOT_RUN = "programs from the repository or /tmp cannot be executed in the sandbox"
_WRITE = "in the sandbox only /tmp is writable, and the modes and times of files cannot be changed"
_INPUT = "the sandbox has no input: its standard input is empty"
_USER = "the user of the sandbox has no name"
_LOCALE = "the only locale in the sandbox is C.UTF-8"

# The file and code of each frame of one exception, the innermost last.
Frames = Sequence[tuple[str, CodeType]]
Rule = Callable[[BaseException, Frames, str], str]


def explainer(src: str) -> Callable[[BaseException, TracebackType | None, Any], str]:
    """Return a function of type `kiok.python_failure.Explain`, for a repository laid out in `src`."""

    def explain(exc: BaseException, traceback: TracebackType | None, _place: Any) -> str:
        for one, frames in _chain(exc, traceback):
            for rule in _RULES:
                if text := rule(one, frames, src):
                    return text
        return ""

    return explain


def _chain(exc: BaseException, traceback: TracebackType | None) -> Iterator[tuple[BaseException, Frames]]:
    """Yield an exception and its causes, each with its frames."""
    seen: list[BaseException] = []
    current: BaseException | None = exc
    while current is not None and not any(current is one for one in seen) and len(seen) < _MAX_CHAIN:
        seen.append(current)
        yield current, _frames(traceback if current is exc else current.__traceback__)
        current = current.__cause__ or current.__context__


def _frames(traceback: TracebackType | None) -> Frames:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append((code.co_filename, code))
        traceback = traceback.tb_next
    return frames


def _version(exc: BaseException, _frames: Frames, src: str) -> str:
    if type(exc) in (SyntaxError, IndentationError, TabError):
        return f"{_PYTHON}; syntax of later versions is not available"
    missing = None
    if type(exc) is ImportError:
        missing = sys.modules.get(exc.name or "")
    elif type(exc) is AttributeError:
        missing = exc.obj if type(exc.obj) is ModuleType else None
    if missing is None or (getattr(missing, "__file__", None) or "").startswith(src + "/"):
        return ""
    is_standard = missing.__name__.partition(".")[0] in sys.stdlib_module_names
    return f"{_PYTHON}; names added in later versions are not available" if is_standard else ""


def _network(exc: BaseException, frames: Frames, _src: str) -> str:
    if not isinstance(exc, OSError):
        return ""
    is_of_a_socket = bool(frames) and frames[-1][0] == _SOCKET
    is_lookup = type(exc).__module__ == "socket"  # gaierror, herror
    return _NETWORK if is_of_a_socket or is_lookup or exc.errno in _UNREACHABLE else ""


def _variable(exc: BaseException, frames: Frames, _src: str) -> str:
    if not isinstance(exc, KeyError):
        return ""
    if frames and frames[-1][1] is _ENVIRON:
        return _VARIABLE
    return _USER if str(exc).strip("'\"").startswith(("getpwuid()", "getpwnam()", "getgrgid()")) else ""


def _file(exc: BaseException, frames: Frames, src: str) -> str:
    if not isinstance(exc, OSError) or not isinstance(exc.filename, str):
        return ""
    path = exc.filename
    is_program = any(file == _SUBPROCESS for file, _code in frames)
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        if is_program:
            return _PROGRAM
        if not path.startswith("/"):
            return _RELATIVE.format(name=path[:100])
        return _NOT_IN_TREE if path.startswith(src + "/") else _NOT_IN_IMAGE
    if exc.errno in _REFUSED and is_program:
        return _NOT_RUN
    return _WRITE if exc.errno in _REFUSED and not path.startswith(_TMP) else ""


def _others(exc: BaseException, _frames: Frames, _src: str) -> str:
    if isinstance(exc, EOFError) and str(exc).startswith("EOF when reading a line"):
        return _INPUT
    return _LOCALE if type(exc).__module__ == "locale" else ""


_RULES: tuple[Rule, ...] = (_version, _network, _variable, _file, _others)
