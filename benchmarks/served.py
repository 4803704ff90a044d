"""A bare repository to sync from, filled by `git fast-import` without a work tree.

It has two urls. `file_url` runs git's upload-pack at the other end of a pipe. `daemon_url` leads to a real git daemon, whose
CPU time does not count as kiok's. But on a loopback interface each request of the protocol waits 40 ms for a delayed
acknowledgement (a bare `git ls-remote` takes 4 ms with the pipe, 52 ms with the daemon), so figures of wall time use the
pipe.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C.UTF-8",
}


def git(*arguments: str, stdin: bytes | None = None) -> str:
    """Run git without the machine's configuration and return its output. Raises CalledProcessError."""
    done = subprocess.run(["git", *arguments], env=_ENVIRONMENT, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


class Served:
    """A repository with the branch `main`."""

    def __init__(self, bare: Path, daemon_url: str = "") -> None:
        self.bare = bare
        self.daemon_url = daemon_url
        self._commits = 0
        # Without a template, since a thousand copies need no sample hooks.
        git("init", "-q", "--bare", "--initial-branch=main", "--template=", str(bare))
        git("--git-dir", str(bare), "config", "uploadpack.allowFilter", "true")
        git("--git-dir", str(bare), "config", "gc.auto", "0")

    @property
    def file_url(self) -> str:
        return f"file://{self.bare}"

    def push(self, files: Iterable[tuple[str, bytes]], *, afresh: bool = False) -> None:
        """Push a commit to `main` that adds or replaces these files. `afresh` removes all earlier files."""
        importer = subprocess.Popen(
            ["git", "--git-dir", str(self.bare), "fast-import", "--quiet", "--force"],
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
        )
        assert importer.stdin is not None
        for piece in self._stream(files, afresh=afresh):
            importer.stdin.write(piece)
        importer.stdin.close()
        if importer.wait():
            raise SystemExit("git fast-import failed")

    def _stream(self, files: Iterable[tuple[str, bytes]], *, afresh: bool) -> Iterator[bytes]:
        yield b"commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\ndata 0\n" % (
            1_700_000_000 + self._commits
        )
        if self._commits:
            yield b"from refs/heads/main^0\n"
        self._commits += 1
        if afresh:
            yield b"deleteall\n"
        for path, content in files:
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)

    def copy(self, to: Path) -> None:
        """Copy the repository to another folder."""
        shutil.copytree(self.bare, to)
