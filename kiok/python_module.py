"""Execution of a Python file as a module of its repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, slots=True)
class ModuleLocation:
    """A file and the folders that it may import from, in addition to its own."""

    file: str
    import_roots: tuple[str, ...] = ()

    @property
    def folders(self) -> list[str]:
        """The absolute folders for `sys.path`, in order, each once."""
        own = os.path.dirname(os.path.abspath(self.file))  # noqa: PTH100, PTH120 - keeps symbolic links
        return list(dict.fromkeys([own, *(os.path.abspath(root) for root in self.import_roots)]))  # noqa: PTH100

    def name(self, file: str) -> str:
        """Return the name of a file for messages: relative to the repository's root if it is inside it."""
        if file == self.file:
            return file
        for folder in reversed(self.folders):
            if file.startswith(folder + os.sep):
                return file[len(folder) + 1 :]
        return "/".join(Path(file).parts[-2:])


def run_module(source: bytes, place: ModuleLocation) -> dict[str, object]:
    """Run the source as a module and return its namespace. Raises any exception that the source raises."""
    name = _module_name(place.file)
    module = ModuleType(name)
    module.__file__ = place.file
    loader = SourceFileLoader(name, place.file)
    module.__loader__ = loader
    module.__spec__ = ModuleSpec(name, loader, origin=place.file)
    namespace: dict[str, object] = module.__dict__
    code = compile(source, place.file, "exec", dont_inherit=True)
    sys.modules[name] = module
    exec(code, namespace)  # noqa: S102 - running the author's file is the point
    return namespace


def _module_name(file: str) -> str:
    """Return the file's stem, or another name if that would replace an existing module (`json.py`, `kiok.py`)."""
    stem = Path(file).stem
    taken = stem in sys.stdlib_module_names or stem in sys.modules
    return f"{stem}_dag" if taken else stem


@contextmanager
def importing_from(place: ModuleLocation) -> Iterator[None]:
    """Make imports in the block search the standard library, the place's folders, then installed packages.

    Modules that were loaded from the place's folders are removed at the end, so that files compiled in one process
    do not see each other's modules.
    """
    path, known, no_bytecode = sys.path[:], set(sys.modules), sys.dont_write_bytecode
    folders = place.folders
    own = [entry for entry in path if _is_standard_library(entry)]
    # `python3 -m` puts the current folder before the standard library.
    rest = [entry for entry in path if entry not in own and entry not in ("", *folders)]
    sys.path[:] = [*own, *folders, *rest]
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = no_bytecode
        for name in [name for name in list(sys.modules) if name not in known]:
            if comes_from(sys.modules.get(name), folders):
                sys.modules.pop(name, None)


def _is_standard_library(entry: str) -> bool:
    folder, name = os.path.split(entry)
    version = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return (
        entry == os.path.dirname(os.__file__)  # noqa: PTH120
        or name in ("lib-dynload", version)
        or (name == "DLLs" and folder == sys.base_prefix)
    )


def comes_from(module: object, folders: list[str]) -> bool:
    """Return whether a module's file is in one of the folders. `sys.modules` may contain any object."""
    if not isinstance(module, ModuleType):
        return False
    namespace = ModuleType.__getattribute__(module, "__dict__")
    files = [namespace.get("__file__"), *_strings(namespace.get("__path__"))]
    absolute = [os.path.abspath(file) for file in files if isinstance(file, str)]  # noqa: PTH100
    return any(file.startswith(folder + os.sep) for file in absolute for folder in folders)


def _strings(value: object) -> list[str]:
    try:
        return [item for item in value if isinstance(item, str)]  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - an author's module may have any __path__; then it has no folder
        return []
