"""The embedded PostgreSQL: the database of the service when `DATABASE_URL` is unset, and of the tests.

Its programs come from kiok.server.postgresql_programs.

- The database is in `<data dir>/postgres` (0700) and listens only on a Unix socket in a private folder. File
  permissions decide which processes can connect, and no password is needed.
- **Users** are the processes that need the server. They hold locks on two files, which the kernel releases however a
  process ends, SIGKILL included, so no list of pids can go stale. Each user holds a shared `flock`, which its forked
  children inherit: while any process holds it, the server keeps running. Each user also holds a shared record lock, which
  no child inherits. It tells a user that ends whether another user is left, which will stop the server, or only
  children: its own or those of a user that ends at the same moment. It waits for children.
- Start, stop and these checks run under a third, exclusive lock, so any number of processes may start and end at the
  same time.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from kiok.folders import make_private
from kiok.server import postgresql_programs
from kiok.server.errors import DatabaseUnavailable
from kiok.server.postgresql_programs import MAJOR

DATABASE = "kiok"
USER = "postgres"
START_TIMEOUT_SECONDS = 60
MAX_LOG_BYTES = 10 * 1024 * 1024  # checked at each start
# sun_path has 108 bytes on Linux and 104 on macOS, including the final NUL; the file is `/.s.PGSQL.5432`.
MAX_SOCKET_DIR_BYTES = 103 - len("/.s.PGSQL.5432")
_CHILDREN_SECONDS = 5.0
_NO_PID = 2**31 - 2  # far above any pid that the kernel assigns


@dataclass(frozen=True)
class _Use:
    """Open lock files of a user. Closing any descriptor of the second releases its lock, so it is opened once."""

    inherited: int  # the flock, which forked children inherit
    own: int  # the record lock, held by this process alone


_held: dict[Path, _Use] = {}


def url(data_dir: Path) -> str:
    """Return the `DATABASE_URL` of the embedded server of this data folder, whether it runs or not."""
    return f"postgresql://{USER}@/{DATABASE}?host={_socket_dir(data_dir)}"


def ensure(data_dir: Path, *, durable: bool = True) -> str:
    """Start the server if it does not run, and become one of its users until this process ends.

    Sets `DATABASE_URL` in the environment and returns it. `durable=False` trades safety in a power cut for
    speed, for tests. Raises DatabaseUnavailable.
    """
    base = _base(data_dir)
    with _exclusively(base):
        if base not in _held:
            _held[base] = _begin_use(base)
            atexit.register(_release_at_exit, base, os.getpid())
        try:
            _start(base, durable=durable)
        except DatabaseUnavailable:
            use = _held.pop(base)
            os.close(use.inherited)
            os.close(use.own)
            raise
    os.environ["DATABASE_URL"] = url(data_dir)
    return os.environ["DATABASE_URL"]


def release(data_dir: Path) -> bool:
    """Stop being a user; the last user stops the server. Returns whether it was stopped.

    The last user waits up to `_CHILDREN_SECONDS` for forked children that still use the server. If a child takes longer,
    the server keeps running, and its next user stops it at its end.
    """
    base = data_dir.expanduser().resolve()
    if base not in _held:
        return False  # without creating or changing anything: the folder may be gone
    use = _held.pop(base)
    # Closed, not unlocked: forked children share this lock and may still need the server.
    os.close(use.inherited)
    fcntl.lockf(use.own, fcntl.LOCK_UN)
    patience = time.monotonic() + _CHILDREN_SECONDS
    try:
        while True:
            with _exclusively(base):
                if _is_free(base):
                    if _running(base):
                        _pg_ctl(base, "stop", "-m", "fast", "-w", "-t", str(START_TIMEOUT_SECONDS))
                    _remove_socket_dir(base)
                    return True
                if _another_stays(use) or time.monotonic() > patience:
                    return False
            time.sleep(0.05)
    finally:
        os.close(use.own)


def _begin_use(base: Path) -> _Use:
    use = _Use(_open(base / "postgres.users"), _open(base / "postgres.users.own"))
    fcntl.flock(use.inherited, fcntl.LOCK_SH)
    fcntl.lockf(use.own, fcntl.LOCK_SH)
    return use


def _is_free(base: Path) -> bool:
    """Return whether no process uses the server: no user, and no child of one."""
    users = _open(base / "postgres.users")
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(users)
    return True


def _another_stays(use: _Use) -> bool:
    """Return whether another user is left. Called under the exclusive lock, by a user that released its own lock."""
    try:
        fcntl.lockf(use.own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # depends on the system
        return True
    fcntl.lockf(use.own, fcntl.LOCK_UN)
    return False


def _release_at_exit(base: Path, pid: int) -> None:
    # A forked child inherits this handler, but only its parent is a user.
    if os.getpid() == pid:
        with suppress(DatabaseUnavailable, OSError):  # at exit there is no way to handle it
            release(base)


def _base(data_dir: Path) -> Path:
    """Create the data folder with mode 0700 and return its resolved path, the same for every spelling."""
    base = data_dir.expanduser().resolve()
    try:
        make_private(base)
    except OSError as exc:
        raise DatabaseUnavailable(
            f"cannot create the data folder {base}: {exc.strerror}; set kiok.base.data.dir or DATABASE_URL"
        ) from exc
    return base


def _socket_dir(data_dir: Path) -> Path:
    """Return the folder of the socket: that of the database, or a short private one if its path is too long."""
    cluster = data_dir.expanduser().resolve() / "postgres"
    plain = all(character.isalnum() or character in "/._-+" for character in str(cluster))
    if plain and len(os.fsencode(cluster)) <= MAX_SOCKET_DIR_BYTES:
        return cluster
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path("/tmp") / f"kiok-{os.geteuid()}-{digest}"  # noqa: S108 - owner and mode are checked


def _remove_socket_dir(base: Path) -> None:
    """Remove the folder of the socket if it is not the cluster's own. The next start creates it again."""
    sockets = _socket_dir(base)
    if sockets != base / "postgres":
        with suppress(OSError):  # not empty, or owned by another user: then this server does not own it alone
            sockets.rmdir()


def _private(folder: Path) -> None:
    """Create `folder` with mode 0700, or check that this user owns it and set its mode."""
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DatabaseUnavailable(
            f"{folder} is not a folder that this user owns; remove it, or set kiok.base.data.dir"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def _exclusively(base: Path) -> Iterator[None]:
    lock = _open(base / "postgres.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _start(base: Path, *, durable: bool) -> None:
    if _reachable(base):
        return
    cluster, sockets = base / "postgres", _socket_dir(base)
    _private(cluster)
    _private(sockets)
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(cluster)
    version = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR):
        raise DatabaseUnavailable(
            f"{cluster} was created by PostgreSQL {version}, and this is version {MAJOR}; "
            "dump it with the old version and load it into an empty folder"
        )
    _disown_stale_locks(cluster, sockets)
    # `fsync` and similar settings are options of the start, not of the cluster, so that each start decides.
    options = f"-c listen_addresses= -c unix_socket_directories={sockets} -c unix_socket_permissions=0700"
    options += " -c port=5432 -c max_connections=200 -c timezone=UTC -c log_timezone=UTC"
    # Shared memory in the cluster's folder, not in /dev/shm: it is removed with the folder, and containers have little
    # /dev/shm.
    options += " -c dynamic_shared_memory_type=mmap"
    if not durable:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    log = cluster / "server.log"
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(cluster / "server.log.1")
    _start_server(base, options, log)
    _make_database(base)


def _make_cluster(cluster: Path) -> None:
    """Create the cluster with `initdb` in a temporary folder and rename it, so that an incomplete one is never used."""
    with suppress(FileNotFoundError):
        shutil.rmtree(cluster)
    for leftover in cluster.parent.glob("postgres.new-*"):
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=cluster.parent))
    arguments = ["-D", str(fresh), "-U", USER, "--auth=trust", "--encoding=UTF8", "--data-checksums"]
    postgresql_programs.run(
        "initdb", *arguments, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"
    )
    fresh.rename(cluster)


def _make_database(base: Path) -> None:
    with _connect(base, "postgres") as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _connect(base: Path, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(_socket_dir(base)),
        port=5432,
        user=USER,
        dbname=database,
        connect_timeout=10,
        autocommit=True,
    )


def _reachable(base: Path) -> bool:
    """Return whether the server of this folder answers. Waits while it is starting or recovering."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            with _connect(base, DATABASE):
                return True
        except psycopg.OperationalError:
            # No socket, a stale one, or a server that is not ready: only the last is worth waiting for.
            if not _running(base) or time.monotonic() > deadline:
                return False
        time.sleep(0.05)


def _running(base: Path) -> bool:
    """Return whether the process that `postmaster.pid` names is PostgreSQL on this very folder."""
    try:
        lines = (base / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid = abs(int(lines[0]))
    except (FileNotFoundError, ValueError, IndexError):
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # The process is gone, or there is no /proc (macOS) and only the pid can be checked.
        return not Path("/proc/self/cmdline").exists() and _alive(pid)
    return os.fsencode(base / "postgres") in command.split(b"\0")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _disown_stale_locks(cluster: Path, sockets: Path) -> None:
    """Remove the pid of a dead server from its lock files, so that the next one starts.

    After a power cut or a kill, a zombie or another program may have that pid, and PostgreSQL would refuse to
    start. The file itself stays: it also names the shared memory, by which PostgreSQL detects that a process
    of the previous server still writes.
    """
    if _running(cluster.parent):
        return
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    pid_file = cluster / "postmaster.pid"
    with suppress(FileNotFoundError):
        lines = pid_file.read_text(encoding="utf-8").splitlines()
        if len(lines) > 1:
            pid_file.write_text("\n".join([str(_NO_PID), *lines[1:]]) + "\n", encoding="utf-8")
        else:
            pid_file.unlink()


def _start_server(base: Path, options: str, log: Path) -> None:
    """Run `pg_ctl start`; wait for processes of a killed server, which end by themselves within moments."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            _pg_ctl(base, "start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-l", str(log), "-o", options)
            return
        except DatabaseUnavailable as exc:
            if "pre-existing shared memory block" not in str(exc) or time.monotonic() > deadline:
                raise
            log.unlink()  # else the next attempt finds its text again
            time.sleep(0.2)


def _pg_ctl(base: Path, *arguments: str) -> None:
    postgresql_programs.run(
        "pg_ctl", *arguments, "-D", str(base / "postgres"), log=base / "postgres" / "server.log"
    )
