"""Ways to read files that raise no audit event, and how each of them is recorded.

Found by reading the C sources of Python 3.11 to 3.13 for calls of open, fopen, stat, access and readlink. If the
path is known, only a path inside the tree is recorded or causes doubt; otherwise any use causes doubt.
"""

from __future__ import annotations

import _locale
import os
import sys
import zipimport
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import BuiltinImporter, ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Protocol

# Modules whose C code opens files itself, or runs code in an interpreter without an audit hook.
BLIND_MODULES = frozenset(
    {
        *("_dbm", "_gdbm", "readline", "_tkinter", "_curses", "_curses_panel", "ossaudiodev", "nis"),
        *("_xxsubinterpreters", "_interpreters", "_remote_debugging"),
        *("_testcapi", "_testlimitedcapi", "_testinternalcapi", "_testmultiphase", "_testsinglephase"),
    }
)
# Kernel links that can lead to any folder: /proc/self/fd/7/data.txt.
_PROCESS_LINKS = frozenset({"fd", "cwd", "root", "map_files"})
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Watcher(Protocol):
    """The part of the recorder that is used here."""

    def doubt(self) -> None: ...

    def looked_at(self, path: Any) -> None: ...

    def changed(self, path: Any) -> None: ...


def leads_anywhere(path: str) -> bool:
    """Return whether an absolute path passes a link of /proc, which may lead into the tree unnoticed."""
    if "/proc/" not in path and "/dev/fd" not in path:
        return False
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts[:2] == ["dev", "fd"]:
        return True
    is_of_proc = parts[:1] == ["proc"] or ".." in parts
    return is_of_proc and not _PROCESS_LINKS.isdisjoint(parts)


def install(watcher: Watcher) -> None:
    """Wrap the functions that raise no event, permanently."""
    _wrap_zipimporter(watcher)
    for module in (_locale, sys.modules.get("locale")):
        if module is not None and hasattr(module, "bindtextdomain"):
            _wrap(module, "bindtextdomain", lambda *_args, **_options: watcher.doubt())
    sys.meta_path.insert(0, _PatchingFinder({"_ssl": lambda module: _wrap_ssl(module, watcher)}))


def _wrap(owner: Any, name: str, first: Callable[..., object]) -> None:
    """Replace `owner.name` by a function that calls `first` with the arguments, then the original."""
    original = getattr(owner, name)

    def wrapper(*args: Any, **options: Any) -> Any:
        first(*args, **options)
        return original(*args, **options)

    wrapper.__name__ = wrapper.__qualname__ = name
    setattr(owner, name, wrapper)


def _wrap_zipimporter(watcher: Watcher) -> None:
    """Record the archives that are searched: zipimport calls the kernel without `os.stat`."""

    def look(_self: object, path: Any, *_args: Any, **_options: Any) -> None:
        _carefully(watcher, watcher.looked_at, path)

    _wrap(zipimport.zipimporter, "__init__", look)


def _wrap_ssl(module: ModuleType, watcher: Watcher) -> None:
    """Cause doubt if OpenSSL reads a file of the tree."""

    def look(*args: Any, **options: Any) -> None:
        for value in (*args, *options.values()):
            if isinstance(value, (str, bytes, os.PathLike)):
                _carefully(watcher, watcher.changed, value)

    def look_at_variables(*_args: Any) -> None:
        for name in _CERTIFICATE_VARIABLES:
            if value := os.environ.get(name):
                _carefully(watcher, watcher.changed, value)

    # A C class takes no new attributes, so a subclass replaces it.
    context = type("_SSLContext", (module._SSLContext,), {"__module__": "_ssl"})
    for name in ("load_cert_chain", "load_verify_locations", "load_dh_params"):
        _wrap(context, name, look)
    _wrap(context, "set_default_verify_paths", look_at_variables)
    module._SSLContext = context  # type: ignore[attr-defined]
    _wrap(module, "_test_decode_cert", look)


def _carefully(watcher: Watcher, look: Callable[[Any], None], path: Any) -> None:
    """Call `look` without raising: the original reports invalid arguments."""
    try:
        look(path)
    except BaseException:  # noqa: BLE001  a custom path object may raise anything
        watcher.doubt()


class _PatchingFinder:
    """A finder for a few modules of the standard library. It works as Python's, and patches each module after loading."""

    def __init__(self, patches: dict[str, Callable[[ModuleType], None]]) -> None:
        self._patches = patches

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        patch = self._patches.get(name)
        if patch is None:
            return None
        spec = BuiltinImporter.find_spec(name, path, target) or PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, patch)
        return spec


class _PatchingLoader(Loader):
    """A loader that loads a module with another loader, then patches it."""

    def __init__(self, loader: Any, patch: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)
