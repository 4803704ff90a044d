"""Private directories for the secrets of one call: in memory if possible, removed after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from gitsync.git.errors import GitReason, git_error
from kiok.folders import make_private

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the parent only; the directory in it is private and checked
_NAME = re.compile(r"call-(\d+)-(\d+)-(\d+)-[0-9a-f]+")
_FOREIGN_GRACE_SECONDS = 60.0


def secrets_root(fallback: Path, shared_memory: Path = _SHARED_MEMORY) -> Path:
    """Return the parent of the per-call directories: in tmpfs if possible, else `fallback`.

    It is created if it does not exist, with mode 0700. `/dev/shm` is writable by all users, so a directory there that
    another user owns is not used. Raises GitError (DISK_FULL) if neither can be created.
    """
    if shared_memory.is_dir() and _is_tmpfs(shared_memory) and os.access(shared_memory, os.W_OK | os.X_OK):
        candidate = shared_memory / f"kiok-git-{os.getuid()}"
        if _make_private(candidate):
            return candidate
    try:
        make_private(fallback)
        fallback.chmod(0o700)
    except OSError as exc:
        raise git_error(GitReason.DISK_FULL, f"no private directory for credentials: {exc}") from exc
    return fallback


@contextlib.contextmanager
def call_directory(root: Path) -> Iterator[Path]:
    """Create a new 0700 directory under `root`, and always remove it at the end of the block.

    Its name contains the pid namespace, pid and start time of this process, and it is locked with flock, so that
    `sweep_stale` in any process can distinguish a running owner from a killed one. Raises GitError (DISK_FULL) if it
    cannot be created.
    """
    path = root / f"call-{_pid_namespace()}-{os.getpid()}-{_start_time(os.getpid())}-{secrets.token_hex(8)}"
    with _needing_room(root):
        path.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a new file, created with mode 0600. Raises GitError (DISK_FULL) if it cannot be written."""
    with _needing_room(path.parent.parent):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)


@contextlib.contextmanager
def _needing_room(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise git_error(
            GitReason.DISK_FULL,
            f"the credential cannot be stored for git under {root}: {exc.strerror or exc}",
        ) from exc


def sweep_stale(directory: Path) -> int:
    """Remove the per-call directories of dead processes. Return their number. `directory` may be missing."""
    removed = 0
    try:
        candidates = list(directory.iterdir())
    except OSError:
        return 0
    for path in candidates:
        match = _NAME.fullmatch(path.name)
        if match is None or path.is_symlink():
            continue
        namespace, pid, started = match.groups()
        if int(namespace) == _pid_namespace() and _start_time(int(pid)) == int(started):
            continue
        if int(namespace) != _pid_namespace() and not _is_abandoned(path):
            continue
        shutil.rmtree(path, ignore_errors=True)
        removed += not path.exists()
    return removed


def _is_abandoned(path: Path) -> bool:
    """Return whether the directory of an owner in another container, whose pid is unknown here, is unlocked.

    A directory younger than a minute is not abandoned: its owner may be about to lock it.
    """
    try:
        if time.time() - path.stat().st_mtime < _FOREIGN_GRACE_SECONDS:
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _make_private(path: Path) -> bool:
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        path.chmod(0o700)
    except OSError:
        return False
    return True


def _is_tmpfs(path: Path) -> bool:
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[4] == str(path):
            return right.split()[0] == "tmpfs"
    return False


def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _start_time(pid: int) -> int:
    """Return the start of the process in clock ticks since boot, or -1 if it ended (also if it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
