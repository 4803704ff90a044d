"""Bare mirrors: one ref of one repository, one commit deep, with at least the files in the scope.

`directory` contains

    mirror.git   the bare repository
    lock         the file of an flock that keeps other processes out; the kernel releases it when its holder dies
    broken       exists if a reader found damage
    unfiltered   exists if the server leaves files out but does not serve them one by one
    spare        another such directory, used while another process holds this one

The mirror stores no url and no credential. Its configuration is one of two fixed texts, one for each of git's object
formats, SHA-1 and SHA-256.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from compilers.source import TreeEntry
from gitsync.git import advertisement
from gitsync.git.client import GitClient
from gitsync.git.commit_fetch import DAMAGE, BlobsWithheld, CommitFetch, Fetched
from gitsync.git.commit_fetch import HEAD_REF as HEAD_REF
from gitsync.git.commit_object import NO_FACTS, CommitFacts
from gitsync.git.credentials import Credential
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.housekeeping import (
    MIRROR_CONFIGS,
    holds_parts,
    is_intact,
    object_format,
    remove_leftover_packs,
    tidy,
)
from gitsync.git.listing import Listing
from gitsync.git.ref import Ref, RefKind
from gitsync.git.scope import WHOLE, FetchScope
from gitsync.git.transfer import Transfer
from gitsync.git.tree import GitTree, TreeLimits
from gitsync.git.url import RemoteUrl
from kiok.folders import make_private

_SHA256_DIGITS = 64
_LOCK_PATIENCE_SECONDS = 2.0  # time for the children of a killed holder to exit


class Mirror:
    """The mirror in `directory` (private, 0700, named after the repository's primary key).

    One thread uses it. Each call locks out other processes; `hold()` does so over several calls.
    """

    def __init__(self, directory: Path, client: GitClient, limits: TreeLimits | None = None) -> None:
        self.directory = directory
        self.git_directory = directory / "mirror.git"
        self._client = client
        self._limits = limits or TreeLimits()
        self._lock: int | None = None
        # Listing a large repository is slow, so the tree of the same commit reuses the listing of the fetch.
        self._listed: tuple[str, FetchScope, Listing] | None = None
        self._facts: tuple[str, CommitFacts] = ("", NO_FACTS)

    def probe(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> str:
        """Return the commit that the ref points to now, with an annotated tag peeled. Does not use the mirror.

        A commit id needs no request. Whether the commit exists shows in the fetch.
        Raises GitError. The message of REF_MISSING names similar refs.
        """
        return self.resolve(url, ref, credential).commit

    def resolve(self, url: RemoteUrl, ref: Ref, credential: Credential | None) -> advertisement.Resolved:
        """Resolve a ref like `probe`, and also return its branch, tag or commit: for a range, the chosen tag."""
        return advertisement.resolve(self._client, url, ref, credential)

    def fetch(
        self, url: RemoteUrl, ref: Ref, credential: Credential | None, scope: FetchScope = WHOLE
    ) -> str:
        """Fetch the commit that the server's ref points to now, and return it.

        When this returns, the mirror has everything of the commit that is in the scope. A mirror that is damaged, or that
        a killed process left unfinished, is replaced once. Raises GitError.
        """
        with self.hold():
            if not self._is_usable() or (scope.is_whole and holds_parts(self.git_directory)):
                self._discard()
            if ref.kind is RefKind.SEMVER:
                ref = self.resolve(url, ref, credential).ref
            if not scope.is_whole and not (self.directory / "unfiltered").exists():
                with contextlib.suppress(BlobsWithheld):
                    return self._fetch_repairing(url, ref, credential, scope, filtered=True)
                self._discard()
                commit = self._fetch_repairing(url, ref, credential, scope, filtered=False)
                self._mark("unfiltered")
                return commit
            return self._fetch_repairing(url, ref, credential, scope, filtered=False)

    def facts(self, commit: str) -> CommitFacts:
        """Return the facts about the commit that this object fetched last; none about any other."""
        return self._facts[1] if self._facts[0] == commit else NO_FACTS

    @property
    def is_partial(self) -> bool:
        """Return whether the server left out files outside the scope."""
        return holds_parts(self.git_directory)

    def _fetch_repairing(
        self, url: RemoteUrl, ref: Ref, credential: Credential | None, scope: FetchScope, *, filtered: bool
    ) -> str:
        transfer = Transfer(self._client, self.git_directory, url, credential, self._inherit)
        fetch = CommitFetch(transfer, ref, scope, self._limits.max_files, filtered)
        try:
            return self._fetch_once(fetch)
        except GitError as exc:
            if exc.reason not in DAMAGE:
                raise
        self._discard()
        try:
            return self._fetch_once(fetch)
        except GitError as exc:
            if exc.reason is GitReason.MIRROR_BROKEN:
                # The mirror was new, so the server sent an incomplete commit.
                message = f"{url.display} sends a commit with missing objects: {exc}"
                raise git_error(GitReason.REPOSITORY_DAMAGED, message) from exc
            raise

    def _fetch_once(self, fetch: CommitFetch) -> str:
        if not self.git_directory.exists():
            self._create(_likely_format(fetch.ref))
        try:
            fetched = fetch.run()
        except GitError as exc:
            remove_leftover_packs(self.git_directory)  # on a full disk, other repositories need the space now
            if not exc.other_object_format:
                raise
            fetched = self._fetch_in_the_other_format(fetch)
        if fetched.listing:
            self._listed = (fetched.commit, fetch.scope, fetched.listing)
        self._facts = (fetched.commit, fetched.facts)
        tidy(self._client, self.git_directory, HEAD_REF, self._inherit)
        return fetched.commit

    def _fetch_in_the_other_format(self, fetch: CommitFetch) -> Fetched:
        """Fetch into a new mirror with the object format of the server's repository."""
        other = "sha1" if object_format(self.git_directory) == "sha256" else "sha256"
        self._discard()
        self._create(other)
        return fetch.run()

    def tree(self, commit: str, scope: FetchScope = WHOLE) -> GitTree:
        """Return the tree of a commit that was fetched with this scope.

        Raises GitError. If it finds damage, the next fetch replaces the mirror.
        """
        with self.hold(), self._noticing_damage():
            return _MirrorTree(self, commit, scope)

    def discard(self) -> None:
        """Remove the mirror and its directory, for a repository that was deleted."""
        if self.directory.exists():
            with self.hold():
                shutil.rmtree(self.directory)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Lock the mirror against other processes for the block. Raises GitError (BUSY)."""
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

    @contextlib.contextmanager
    def held(self) -> Iterator[Mirror]:
        """Hold this mirror for the block, or a temporary spare one if another process holds it.

        The holder may be a stalled process that lost its lease long ago, so waiting for it could take forever. Raises
        GitError (BUSY if the spare is in use as well).
        """
        with contextlib.ExitStack() as stack:
            mirror = self
            try:
                stack.enter_context(mirror.hold())
            except GitError as exc:
                if exc.reason is not GitReason.BUSY:
                    raise
                mirror = Mirror(self.directory / "spare", self._client, self._limits)
                stack.enter_context(mirror.hold())
                stack.callback(mirror.discard)
            yield mirror

    def _acquire(self) -> int:
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            # On each attempt, since the last holder may have removed the directory.
            make_private(self.directory)
            self.directory.chmod(0o700)
            if (descriptor := _try_lock(self.directory / "lock")) is not None:
                return descriptor
            if time.monotonic() >= deadline:
                raise git_error(
                    GitReason.BUSY,
                    f"mirror {self.directory.name} is in use by another process. It is retried later",
                )
            time.sleep(0.05)

    @property
    def _inherit(self) -> tuple[int, ...]:
        # git keeps the lock's file open, so that it stays locked until git exits, also if this process is killed.
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
            for name in ("broken", "unfiltered"):
                (self.directory / name).unlink(missing_ok=True)
        except OSError as exc:
            raise git_error(GitReason.DISK_FULL, f"a damaged mirror cannot be removed: {exc}") from exc

    def _create(self, format_of_objects: str) -> None:
        self._client.run(
            [
                "init",
                "--quiet",
                "--bare",
                "--template=",
                "--initial-branch=none",
                f"--object-format={format_of_objects}",
                "--",
                str(self.git_directory),
            ]
        )
        try:
            (self.git_directory / "config").write_text(MIRROR_CONFIGS[format_of_objects], encoding="ascii")
        except OSError as exc:
            raise git_error(GitReason.DISK_FULL, f"the mirror cannot be created: {exc}") from exc

    def _mark(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self.directory / name).touch(mode=0o600)

    @contextlib.contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        try:
            yield
        except GitError as exc:
            if exc.reason is GitReason.MIRROR_BROKEN:
                self._mark("broken")
            raise


class _MirrorTree(GitTree):
    """A tree that holds its mirror while it is read, and marks the mirror as broken if it finds damage."""

    def __init__(self, mirror: Mirror, commit: str, scope: FetchScope) -> None:
        self._mirror = mirror
        listed = mirror._listed
        super().__init__(
            commit,
            directory=mirror.git_directory,
            client=mirror._client,
            limits=mirror._limits,
            scope=scope,
            listing=listed[2] if listed and listed[:2] == (commit, scope) else None,
            inherit=mirror._inherit,
        )
        # The descriptor above is closed once the caller releases the mirror.
        self._inherit = ()

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        with self._mirror.hold(), self._mirror._noticing_damage():
            yield from super().read(entries)

    def find_blobs(self, blobs: Collection[str]) -> dict[str, list[str]]:
        with self._mirror.hold(), self._mirror._noticing_damage():
            return super().find_blobs(blobs)


def _likely_format(ref: Ref) -> str:
    """Return the object format that a repository is likely to have. A fetch shows if it has the other one."""
    is_sha256 = ref.kind is RefKind.COMMIT and len(ref.name) == _SHA256_DIGITS
    return "sha256" if is_sha256 else "sha1"


def _try_lock(path: Path) -> int | None:
    """Return an open descriptor that holds the lock on `path`, or None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder may have removed the mirror with its lock file: then this descriptor locks nothing.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
