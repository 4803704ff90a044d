"""A git remote whose history is written straight into its object store, without a process for each push.

Thousands of pushes are made in a test; `git push` takes 20 ms of each, this takes one. What is served is served by
git itself, which checks every object that it sends.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.reference.model import Files

_WHO = b"Ada <ada@example.org> 1767225600 +0000"


class Remote:
    """A bare repository in `directory`. `template` is one to copy instead of starting git for a new one."""

    def __init__(self, directory: Path, template: Path | None = None) -> None:
        self.directory = directory
        if template:
            shutil.copytree(template, directory)
        else:
            command = ["git", "init", "-q", "--bare", "--template=", "--initial-branch=main", str(directory)]
            subprocess.run(command, check=True)

    @property
    def url(self) -> str:
        return f"file://{self.directory}"

    def commit(self, files: Files, parent: str = "", message: str = "change") -> str:
        """A commit of exactly these files, on no branch yet; its id. The same arguments give the same."""
        tree: dict[str, Any] = {}
        for path, file in files.items():
            *folders, name = path.split("/")
            folder = tree
            for each in folders:
                folder = folder.setdefault(each, {})
            folder[name] = self._write("blob", (file.text or "").encode())
        lines = [b"tree " + self._tree(tree).encode()]
        lines += [b"parent " + parent.encode()] if parent else []
        lines += [b"author " + _WHO, b"committer " + _WHO, b"", message.encode(), b""]
        return self._write("commit", b"\n".join(lines))

    def point(self, ref: str, commit: str) -> None:
        """Have a ref (`heads/main`, `tags/v1`) name the commit, whatever it named before: a forced push."""
        path = self.directory / "refs" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, f"{commit}\n".encode())

    def remove(self, ref: str) -> None:
        """Delete a ref, if it is there."""
        (self.directory / "refs" / ref).unlink(missing_ok=True)

    def _tree(self, folder: Mapping[str, Any]) -> str:
        entries = []
        for name, item in folder.items():
            is_folder = isinstance(item, dict)
            mode, sha = ("40000", self._tree(item)) if is_folder else ("100644", item)
            # git sorts a folder as if its name ended in a slash.
            key = f"{name}/" if is_folder else name
            entries.append((key.encode(), f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha)))
        return self._write("tree", b"".join(entry for _key, entry in sorted(entries)))

    def _write(self, kind: str, content: bytes) -> str:
        stored = f"{kind} {len(content)}".encode() + b"\0" + content
        sha = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
        path = self.directory / "objects" / sha[:2] / sha[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            _replace(path, zlib.compress(stored, 1))
        return sha


def _replace(path: Path, content: bytes) -> None:
    """Write the file atomically for concurrent readers."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    os.replace(new, path)
