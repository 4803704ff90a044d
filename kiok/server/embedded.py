"""The embedded PostgreSQL: what the service runs on when `DATABASE_URL` is unset, and what tests run on.

Its programs are those of kiok.server.postgresql_programs. Here:

- The database lies in `<data dir>/postgres` (0700) and listens on a unix socket in a private folder only, so
  whoever may connect is whom the file system lets in, and no password is needed.
- **Who uses it** is told by locks on two files, which the kernel drops however a process ends, SIGKILL included,
  so no list of pids can go stale. A shared `flock` is held by each user and, as it is inherited, by what the user
  forked: while anybody has it, the server stays. A shared record lock is held by the users alone, since no child
  inherits it: so a user that ends knows whether another stays, who then stops the server, or only children are
  left, its own or those of a user that ends at the same moment, which it waits for.
- Start, stop and these looks happen under a third, exclusive lock, so any number of processes may start and end
  at once.
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
MAX_LOG_BYTES = 10 * 1024 * 1024  # looked at on each start
# sun_path holds 108 bytes on Linux and 104 on macOS, with the final NUL; the file is `/.s.PGSQL.5432`.
MAX_SOCKET_DIR_BYTES = 103 - len("/.s.PGSQL.5432")
_CHILDREN_SECONDS = 5.0
_NO_PID = 2**31 - 2  # far above any the kernel gives


@dataclass(frozen=True)
class _Use:
    """The open lock files of a user. Closing any descriptor of the second drops its lock, so it is opened once."""

    inherited: int  # the flock, which forked children have too
    own: int  # the record lock, which is this process's alone


_held: dict[Path, _Use] = {}


def url(data_dir: Path) -> str:
    """The `DATABASE_URL` of the embedded server of this data folder, whether it runs or not."""
    return f"postgresql://{USER}@/{DATABASE}?host={_socket_dir(data_dir)}"


def ensure(data_dir: Path, *, durable: bool = True) -> str:
    """Start the server unless it runs, and become one of its users until this process ends.

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
    """Stop being a user; the last one stops the server. Returns whether it was stopped.

    The last one waits up to `_CHILDREN_SECONDS` for forked children that still have the server. To one that stays
    longer the server is left, and the end of its next user stops it.
    """
    base = data_dir.expanduser().resolve()
    if base not in _held:
        return False  # and nothing is made or touched: the folder may be gone
    use = _held.pop(base)
    # Closing, not unlocking: forked children share this lock and may still need the server.
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
    """Whether nobody has the server: no user, and no child of one."""
    users = _open(base / "postgres.users")
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(users)
    return True


def _another_stays(use: _Use) -> bool:
    """Whether there is a user that has not let go. Asked by one that has, under the exclusive lock."""
    try:
        fcntl.lockf(use.own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # systems answer with either
        return True
    fcntl.lockf(use.own, fcntl.LOCK_UN)
    return False


def _release_at_exit(base: Path, pid: int) -> None:
    # A forked child inherits this handler, but it is its parent that is the user.
    if os.getpid() == pid:
        with suppress(DatabaseUnavailable, OSError):  # nothing is left to be done with it, at exit
            release(base)


def _base(data_dir: Path) -> Path:
    """The data folder, resolved, so that it is the same however it is spelled; made with mode 0700."""
    base = data_dir.expanduser().resolve()
    try:
        make_private(base)
    except OSError as exc:
        raise DatabaseUnavailable(
            f"cannot make the data folder {base}: {exc.strerror}; set kiok.base.data.dir or DATABASE_URL"
        ) from exc
    return base


def _socket_dir(data_dir: Path) -> Path:
    """Where the socket lies: with the database, or in a short private folder where that path is too long."""
    cluster = data_dir.expanduser().resolve() / "postgres"
    plain = all(character.isalnum() or character in "/._-+" for character in str(cluster))
    if plain and len(os.fsencode(cluster)) <= MAX_SOCKET_DIR_BYTES:
        return cluster
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path("/tmp") / f"kiok-{os.geteuid()}-{digest}"  # noqa: S108 - owner and mode are checked


def _remove_socket_dir(base: Path) -> None:
    """Remove the folder of the socket where it is not the cluster's own. The next start makes it again."""
    sockets = _socket_dir(base)
    if sockets != base / "postgres":
        with suppress(OSError):  # it is not empty, or not ours: then it is not this server's alone
            sockets.rmdir()


def _private(folder: Path) -> None:
    """Make `folder` with mode 0700, or see that it is ours and nobody else's."""
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DatabaseUnavailable(
            f"{folder} is not a folder of this user; remove it, or set kiok.base.data.dir"
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
            f"{cluster} was made by PostgreSQL {version}, and this is {MAJOR}; "
            "dump it with the old version and load it into an empty folder"
        )
    _disown_stale_locks(cluster, sockets)
    # `fsync` and the like are given here rather than in the cluster, so that each start decides.
    options = f"-c listen_addresses= -c unix_socket_directories={sockets} -c unix_socket_permissions=0700"
    options += " -c port=5432 -c max_connections=200 -c timezone=UTC -c log_timezone=UTC"
    # In the cluster's folder, not in /dev/shm: it goes with the folder, and containers have little of the other.
    options += " -c dynamic_shared_memory_type=mmap"
    if not durable:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    log = cluster / "server.log"
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(cluster / "server.log.1")
    _start_server(base, options, log)
    _make_database(base)


def _make_cluster(cluster: Path) -> None:
    """`initdb` into a folder beside, then rename: a half-made cluster is never mistaken for one."""
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
    """Whether the server of this folder answers. Waits while it is starting or recovering."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            with _connect(base, DATABASE):
                return True
        except psycopg.OperationalError:
            # No socket, a dead one, or a server that is not ready: only the last is worth waiting for.
            if not _running(base) or time.monotonic() > deadline:
                return False
        time.sleep(0.05)


def _running(base: Path) -> bool:
    """Whether the process that `postmaster.pid` names is PostgreSQL on this very folder."""
    try:
        lines = (base / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid = abs(int(lines[0]))
    except (FileNotFoundError, ValueError, IndexError):
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # The process is gone; or there is no /proc (macOS), where the pid alone must do.
        return not Path("/proc/self/cmdline").exists() and _alive(pid)
    return os.fsencode(base / "postgres") in command.split(b"\0")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _disown_stale_locks(cluster: Path, sockets: Path) -> None:
    """Take the pid of a dead server out of its lock files, so that the next one starts.

    After a power cut or a kill, a zombie or another program may have that pid, and PostgreSQL would refuse to
    start. The file itself stays: it also names the shared memory, by which PostgreSQL sees whether any
    process of the dead server still writes.
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
    """`pg_ctl start`; waits for processes of a killed server, which end by themselves within moments."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            _pg_ctl(base, "start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-l", str(log), "-o", options)
            return
        except DatabaseUnavailable as exc:
            if "pre-existing shared memory block" not in str(exc) or time.monotonic() > deadline:
                raise
            log.unlink()  # else its text is found again the next time
            time.sleep(0.2)


def _pg_ctl(base: Path, *arguments: str) -> None:
    postgresql_programs.run(
        "pg_ctl", *arguments, "-D", str(base / "postgres"), log=base / "postgres" / "server.log"
    )
