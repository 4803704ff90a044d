"""Record a running Python file's accesses to the repository's tree, so that it is compiled again only if needed.

Each access is a question, one string that any tree can answer (`compilers.build_cache` does):

    p:PATH      what is at PATH: this file, a folder, nothing; asked by open, stat, access, ...
    n:FOLDER    the names in FOLDER, and which are folders; asked by listdir, glob, walk
    s:FOLDER    the same with the files' sizes, which an entry of scandir reveals without a further call
    m:PATH      what an import of the module PATH finds there; one per searched folder
    *           everything: the file did something that cannot be traced, so it depends on the whole tree

Paths are relative to the repository's root, which is "". Most accesses are audit events, which precede the operation
and so include failures; functions without an event are wrapped. Import searches are recorded by the finder:
Python's own finder lists whole folders, and every new file would then seem to affect every import.

Runs in the file's own process, which may report wrong accesses: see docs/adr/0015-compile-only-what-changed.md.
"""

from __future__ import annotations

import _posixsubprocess
import os
import posix
import posixpath
import sys
from collections.abc import Callable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import FrameType, ModuleType
from typing import Any

from compilers.images.driver import blind_spots

EVERYTHING = "*"
MAX_QUESTIONS = 2_000
MAX_CHARACTERS = 64 << 10

_LOADERS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + "/"  # noqa: PTH120
_IMPORTLIB = FileFinder.find_spec.__code__.co_filename
# These list folders and never use an entry's size.
_WANT_NAMES_ONLY = frozenset({"os", "glob", "pathlib"})
# Extensions from outside the standard library that are known to open no files themselves.
_HARMLESS_EXTENSIONS = frozenset({"yaml._yaml", "markupsafe._speedups"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_ALWAYS_DOUBTFUL = (
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
    *("pty.spawn", "ctypes.dlsym", "ctypes.dlsym/handle", "ctypes.call_function"),
    # An alias elsewhere would hide later reads.
    *("os.link", "os.symlink"),
    # An in-memory database can attach one in a file, without an event.
    "sqlite3.connect",
    # Another interpreter has no audit hook.
    "cpython.PyInterpreterState_New",
)
_DOUBTFUL_IN_THE_TREE = (
    *("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.truncate", "os.chmod", "os.chown", "os.utime"),
    *("os.chflags", "os.lockf", "os.getxattr", "os.listxattr", "os.setxattr", "os.removexattr"),
)


class Recorder:
    """The questions of one process: installed before the fork, started after it. A process needs one recorder."""

    def __init__(self, root: str) -> None:
        """Create a recorder. `root` is the folder that holds the repository."""
        self._root = root
        self._below = root + "/"
        self._asked: set[str] = set()
        self._doubtful = False
        self._getcwd = os.getcwd
        self._handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._scanned,
            "os.chdir": lambda args: self.looked_at(args[0]),
            "import": self._imported,
            "ctypes.dlopen": lambda args: self._doubt_if(args[0] is not None),
            **dict.fromkeys(_ALWAYS_DOUBTFUL, lambda _args: self.doubt()),
            **dict.fromkeys(_DOUBTFUL_IN_THE_TREE, self._changed),
        }
        # The handlers that are called now: none before `begin`, and none after a doubt.
        self._active: dict[str, Callable[[tuple[Any, ...]], None]] = {}

    def install(self) -> None:
        """Install the hooks, permanently."""
        sys.path_hooks.insert(0, _path_hook(self))
        # os imports its functions from posix, where a file can get them directly.
        for module in (os, posix):
            for name in ("stat", "lstat", "access", "readlink"):
                _wrap(self, module, name, self.looked_at)
            for name in ("statvfs", "pathconf", "mkfifo", "mknod"):
                _wrap(self, module, name, self.changed)
            _wrap(self, module, "fstatvfs", lambda _descriptor: self.doubt())
        _wrap(self, _posixsubprocess, "fork_exec", lambda _command: self.doubt())
        blind_spots.install(self)
        handler_of, doubt = self._active.get, self.doubt

        def audit(event: str, args: tuple[Any, ...]) -> None:
            """Call the handler of an event. Never raises, because that would block the operation."""
            handler = handler_of(event)
            if handler is not None:
                try:
                    handler(args)
                except BaseException:  # noqa: BLE001  a custom path object may raise anything
                    doubt()

        sys.addaudithook(audit)

    def begin(self) -> None:
        """Record from now on."""
        self._active.update(self._handlers)

    def traced_accesses(self, path: str) -> list[str]:
        """Return the questions so far, sorted, without the file's own content at `path`."""
        asked = sorted(self._asked - {f"p:{path}"})
        if self._doubtful or sum(map(len, asked)) > MAX_CHARACTERS or not all(map(str.isprintable, asked)):
            return [EVERYTHING]
        return asked

    def doubt(self) -> None:
        """Note that the file did something that cannot be traced."""
        self._doubtful = True
        self._active.clear()

    def called(self, look: Callable[[Any], None], args: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Handle the call of a wrapped function: pass its path to `look`. Never raises."""
        if not self._active or _is_of_import_machinery(sys._getframe(2)):
            return
        try:
            self._doubt_if(options.get("dir_fd") is not None)
            look(args[0] if args else options.get("path"))
        except BaseException:  # noqa: BLE001  the original reports invalid arguments
            self.doubt()

    def looked_at(self, path: Any) -> None:
        """Record an access to a path. A descriptor (int) was opened by a path before."""
        if not isinstance(path, int):
            self._ask("p:", path)

    def looked_for(self, folder: str, name: str) -> None:
        """Record the search for a module of this name in the folder."""
        if (inside := self.inside(folder)) is not None:
            self._add("m:", f"{inside}/{name}" if inside else name)

    def changed(self, path: Any) -> None:
        """Cause doubt for an operation on a path that this module does not trace."""
        self._doubt_if(not isinstance(path, int) and self.inside(path) is not None)

    def inside(self, path: Any) -> str | None:
        """Return the path relative to the repository's root, None if it is outside.

        Components before a `..` must exist, so they are recorded too.
        """
        text = os.fsdecode(path)
        if not text.startswith("/"):
            text = f"{self._getcwd()}/{text}"
        if blind_spots.leads_anywhere(text):
            self.doubt()
        if "/." in text or "//" in text:
            if "/.." in text:
                self._way_up(text)
            text = "/" + posixpath.normpath(text).lstrip("/")
        if text.startswith(self._below):
            return text[len(self._below) :].rstrip("/")
        return "" if text == self._root else None

    def _way_up(self, text: str) -> None:
        parts = text.split("/")
        for index, part in enumerate(parts):
            if part == "..":
                before = posixpath.normpath("/".join(parts[:index]) or "/")
                self._ask("p:", before)

    def _ask(self, kind: str, path: Any) -> None:
        # The root is a folder in every tree.
        if (inside := self.inside(path)) is not None and (inside or kind != "p:"):
            self._add(kind, inside)

    def _add(self, kind: str, path: str) -> None:
        self._asked.add(kind + path)
        self._doubt_if(len(self._asked) > MAX_QUESTIONS)

    def _doubt_if(self, is_doubtful: bool) -> None:
        if is_doubtful:
            self.doubt()

    def _opened(self, args: tuple[Any, ...]) -> None:
        path, mode, flags = args
        if isinstance(path, int):
            return
        self._ask("p:", path)
        if flags & _WRITING:
            self.changed(path)
        # From os.open, whose event has no dir_fd.
        self._doubt_if(mode is None and not os.fsdecode(path).startswith("/"))

    def _listed(self, args: tuple[Any, ...]) -> None:
        # The recorder's own finder: `looked_for` records the search. A finder made by the file itself records nothing.
        caller = sys._getframe(2)
        if caller.f_code.co_filename != _IMPORTLIB or not isinstance(caller.f_locals.get("self"), _Finder):
            self._folder("n:", args[0])

    def _scanned(self, args: tuple[Any, ...]) -> None:
        # 0 is this function, 1 the hook, 2 the caller that lists the folder.
        caller = sys._getframe(2).f_globals.get("__name__")
        self._folder("n:" if caller in _WANT_NAMES_ONLY else "s:", args[0])

    def _folder(self, kind: str, path: Any) -> None:
        if isinstance(path, int):
            self.doubt()
        else:
            self._ask(kind, "." if path is None else path)

    def _changed(self, args: tuple[Any, ...]) -> None:
        for value in args[:2]:
            if isinstance(value, (str, bytes, os.PathLike)):
                self.changed(value)

    def _imported(self, args: tuple[Any, ...]) -> None:
        name, file = args[:2]
        blind = name in blind_spots.BLIND_MODULES
        if file is not None and not os.fsdecode(file).startswith(_STANDARD_LIBRARY):
            blind = blind or name not in _HARMLESS_EXTENSIONS
        self._doubt_if(blind)


class _Finder(FileFinder):
    """Python's own finder for a folder of the repository, extended to record its searches."""

    recorder: Recorder

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        self.recorder.looked_for(self.path, fullname.rpartition(".")[2])
        spec = super().find_spec(fullname, target)
        if spec is not None and spec.origin is not None:
            # Python does not read a compiled module itself, so there is no event.
            self.recorder.looked_at(spec.origin)
        return spec


def _path_hook(recorder: Recorder) -> Callable[[str], FileFinder]:
    finder = type("Finder", (_Finder,), {"recorder": recorder})

    def hook(path: str) -> FileFinder:
        inside = recorder.inside(path)
        if inside is None:
            raise ImportError("outside the repository")
        recorder.looked_at(path)
        if not os.path.isdir(path):  # noqa: PTH112
            raise ImportError("not a folder")
        found: FileFinder = finder(path, *_LOADERS)
        return found

    return hook


def _is_of_import_machinery(caller: FrameType) -> bool:
    """Return whether the call comes from Python's finders and loaders, whose searches are recorded elsewhere."""
    above = caller.f_back
    return (
        caller.f_code.co_filename == _IMPORTLIB
        and above is not None
        and above.f_code.co_filename == _IMPORTLIB
    )


def _wrap(recorder: Recorder, module: Any, name: str, look: Callable[[Any], None]) -> None:
    """Replace a function by one that first reports the call."""
    original = getattr(module, name)

    def wrapper(*args: Any, **options: Any) -> Any:
        recorder.called(look, args, options)
        return original(*args, **options)

    wrapper.__name__ = wrapper.__qualname__ = name
    setattr(module, name, wrapper)
    # Code that checks whether a function takes a descriptor uses these sets.
    for supporting in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
        if original in supporting:
            supporting.add(wrapper)
