"""A bare mirror of one ref of one repository, one commit deep.

`directory` holds `mirror.git`, and beside it the file `lock` (an flock keeps two processes apart; the kernel
frees it when its holder dies) and, after damage was found while reading, the file `broken`.
The mirror knows no url and no credential: its configuration is always the same few bytes.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from compilers.base import TreeEntry
from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.housekeeping import MIRROR_CONFIG, is_intact, remove_leftover_packs, tidy
from gitsync.git.ref import Ref, RefKind
from gitsync.git.tree import GitTree, TreeLimits
from gitsync.git.url import RemoteUrl

HEAD_REF = "refs/kiok/head"
_LOCK_PATIENCE_SECONDS = 2.0  # what the children of a killed holder may need to end
_MAX_ADVERTISEMENT_BYTES = 1 << 20
_DAMAGE = frozenset({GitReason.MIRROR_BROKEN, GitReason.UNKNOWN})


class Mirror:
    """The mirror in `directory` (private, 0700, named by the repository's primary key).

    Used by one thread. `hold()` keeps other processes out over several calls; each call does so for itself.
    """

    def __init__(self, directory: Path, client: GitClient, limits: TreeLimits | None = None) -> None:
        self.directory = directory
        self.git_directory = directory / "mirror.git"
        self._client = client
        self._limits = limits or TreeLimits()
        self._lock: int | None = None

    def probe(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> str:
        """The commit the server's ref points to, an annotated tag peeled. Touches no mirror.

        Raises GitError; REF_MISSING names refs that are alike.
        """
        names = [ref.full_name] + ([ref.full_name + "^{}"] if ref.kind is RefKind.TAG else [])
        found = self._advertised(url, credential, *names)
        # ls-remote matches the end of names; only the exact ones count.
        for name in reversed(names):
            if name in found:
                return found[name]
        raise self._missing(url, ref, credential)

    def fetch(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> str:
        """Bring the mirror to what the server's ref points to now; returns that commit.

        The commit is complete when this returns. A mirror that is damaged, or was left half done by a
        killed process, is thrown away and made anew, once. Raises GitError.
        """
        with self.hold():
            if not self._is_usable():
                self._discard()
            try:
                return self._fetch_once(url, ref, credential)
            except GitError as exc:
                if exc.reason not in _DAMAGE:
                    raise
            self._discard()
            try:
                return self._fetch_once(url, ref, credential)
            except GitError as exc:
                if exc.reason is GitReason.MIRROR_BROKEN:
                    # It was new: what is broken is what the server sends.
                    raise git_error(GitReason.UNKNOWN, str(exc)) from exc
                raise

    def tree(self, commit: str) -> GitTree:
        """The files of a fetched commit. Raises GitError; damage found makes the next fetch start anew."""
        with self.hold(), self._noticing_damage():
            return _MirrorTree(self, commit)

    def discard(self) -> None:
        """Remove the mirror and all that belongs to it, for a repository that is no more."""
        if self.directory.exists():
            with self.hold():
                shutil.rmtree(self.directory)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other process away from the mirror. Raises GitError (BUSY)."""
        if self._lock is not None:
            yield
            return
        try:
            descriptor = self._acquire()
        except OSError as exc:
            raise git_error(GitReason.DISK_FULL, f"the mirror's directory cannot be used: {exc}") from exc
        self._lock = descriptor
        try:
            yield
        finally:
            self._lock = None
            os.close(descriptor)

    def _acquire(self) -> int:
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            # Each time: whoever held it may have discarded it all.
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            if (descriptor := _try_lock(self.directory / "lock")) is not None:
                return descriptor
            if time.monotonic() >= deadline:
                raise git_error(
                    GitReason.BUSY,
                    f"mirror {self.directory.name} is in use by another process; it is tried again later",
                )
            time.sleep(0.05)

    @property
    def _inherit(self) -> tuple[int, ...]:
        # git keeps the lock open, so that it stays locked until git is gone too if we are killed.
        return () if self._lock is None else (self._lock,)

    def _is_usable(self) -> bool:
        if not self.git_directory.exists():
            return False
        remove_leftover_packs(self.git_directory)
        return not (self.directory / "broken").exists() and is_intact(self.git_directory)

    def _discard(self) -> None:
        try:
            if self.git_directory.is_symlink():
                self.git_directory.unlink()
            elif self.git_directory.exists():
                shutil.rmtree(self.git_directory)
            (self.directory / "broken").unlink(missing_ok=True)
        except OSError as exc:
            raise git_error(GitReason.DISK_FULL, f"a damaged mirror cannot be removed: {exc}") from exc

    def _create(self) -> None:
        self._client.run(
            [
                "init",
                "--quiet",
                "--bare",
                "--template=",
                "--initial-branch=none",
                "--",
                str(self.git_directory),
            ]
        )
        try:
            (self.git_directory / "config").write_text(MIRROR_CONFIG, encoding="ascii")
        except OSError as exc:
            raise git_error(GitReason.DISK_FULL, f"the mirror cannot be made: {exc}") from exc

    def _fetch_once(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> str:
        if not self.git_directory.exists():
            self._create()
        arguments = [
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--force",
            "--",
            url.fetch_url,
            f"+{ref.full_name}:{HEAD_REF}",
        ]
        try:
            self._client.run(
                arguments,
                directory=self.git_directory,
                remote=url,
                credential=credential,
                inherit=self._inherit,
            )
        except GitError as exc:
            if exc.reason is GitReason.REF_MISSING:
                raise self._missing(url, ref, credential) from exc
            raise
        commit = self._verified(ref)
        tidy(self._client, self.git_directory, self._inherit)
        return commit

    def _verified(self, ref: Ref) -> str:
        """The commit fetched, after making sure that every object of it is there."""
        kind = self._local("cat-file", "-t", f"{HEAD_REF}^{{}}")
        if kind != "commit":
            raise git_error(GitReason.NOT_A_COMMIT, f"{ref.full_name} points to a {kind}, not to a commit")
        commit = self._local("rev-parse", "--verify", f"{HEAD_REF}^{{commit}}")
        try:
            self._local("fsck", "--connectivity-only", "--no-dangling", "--no-progress", commit)
        except GitError as exc:
            if exc.reason.transient and exc.reason not in _DAMAGE:
                raise
            raise git_error(GitReason.MIRROR_BROKEN, f"the mirror lacks objects: {exc}") from exc
        return commit

    def _local(self, *arguments: str) -> str:
        output = self._client.run(arguments, directory=self.git_directory, inherit=self._inherit)
        return output.decode("utf-8", "replace").strip()

    def _advertised(self, url: RemoteUrl, credential: Credential | None, *patterns: str) -> dict[str, str]:
        output = self._client.run(
            ["ls-remote", "--quiet", "--", url.fetch_url, *patterns],
            remote=url,
            credential=credential,
            max_output_bytes=_MAX_ADVERTISEMENT_BYTES,
        )
        lines = (line.split("\t", 1) for line in output.decode("utf-8", "replace").splitlines())
        return {parts[1]: parts[0] for parts in lines if len(parts) == 2}

    def _missing(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> GitError:
        message = f"{url.display} has no {ref.kind} {ref.name!r} ({ref.full_name})"
        try:
            found = self._advertised(url, credential, "refs/heads/*", "refs/tags/*")
        except GitError:
            found = {}  # only a hint is lost: too many refs to list, or the server is gone by now
        hint = _alike(ref, found)
        return git_error(GitReason.REF_MISSING, f"{message}. {hint}")

    @contextlib.contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        try:
            yield
        except GitError as exc:
            if exc.reason is GitReason.MIRROR_BROKEN:
                with contextlib.suppress(OSError):
                    (self.directory / "broken").touch(mode=0o600)
            raise


class _MirrorTree(GitTree):
    """A tree that holds its mirror while it is read and reports damage to it."""

    def __init__(self, mirror: Mirror, commit: str) -> None:
        self._mirror = mirror
        super().__init__(
            commit,
            directory=mirror.git_directory,
            client=mirror._client,
            limits=mirror._limits,
            inherit=mirror._inherit,
        )
        # The descriptor above is closed once the caller lets go of the mirror.
        self._inherit = ()

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        with self._mirror.hold(), self._mirror._noticing_damage():
            yield from super().read(entries)


def _try_lock(path: Path) -> int | None:
    """An open descriptor with the lock on `path`, or None if somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have discarded the mirror with its lock file: then this locks nothing.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _alike(ref: Ref, advertised: dict[str, str]) -> str:
    """What there is instead, in words."""
    names = [name for name in advertised if not name.endswith("^{}")]
    other = ("refs/tags/" if ref.kind is RefKind.BRANCH else "refs/heads/") + ref.name
    if other in names:
        written = f"tag:{ref.name}" if ref.kind is RefKind.BRANCH else ref.name
        return f"There is {other}: write {written!r}"
    prefix = ref.full_name.removesuffix(ref.name)
    same = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    near = difflib.get_close_matches(ref.name, same[:2000], n=3, cutoff=0.5) or sorted(same)[:5]
    plural = "branches" if ref.kind is RefKind.BRANCH else "tags"
    shown = ", ".join(repr(name[:80]) for name in near)
    return f"There are the {plural} {shown}" if near else f"It has no {plural}, as far as can be seen"
