"""Remote of a repository row: url, ref, credential, mirror.

The credential is decrypted here, per sync, so that a rotated secret is used from the next sync on. It lives as long as
the `Remote` that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gitsync.errors import DeclarationRefused, SyncError, SyncReason
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import Credential, credential_from_properties
from gitsync.git.mirror import Mirror
from gitsync.git.ref import Ref, parse_ref
from gitsync.git.scope import FetchScope, parse_scope
from gitsync.git.tree import TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from kiok.cluster.conf import properties
from kiok.errors import KiokError


class CredentialUnusable(SyncError):
    """Error for a connection that cannot be decrypted or lacks a property that git needs."""

    reason = SyncReason.CREDENTIAL


@dataclass(frozen=True, slots=True)
class Remote:
    """Location of a repository, and the means to read it."""

    url: RemoteUrl
    ref: Ref
    scope: FetchScope
    credential: Credential | None
    mirror: Mirror

    @property
    def subpath(self) -> str:
        return self.scope.subpath

    def probe(self) -> str:
        """Return the commit that the ref names now. Raises GitError."""
        return self.mirror.probe(self.url, self.ref, self.credential)


def remote_of(repository: Repository) -> Remote:
    """Return the remote of a repository. Raises GitError (bad configuration), CredentialUnusable, DeclarationRefused."""
    if repository.declaration_problem:
        raise DeclarationRefused(repository.declaration_reason, repository.declaration_problem)
    config = properties()
    url = parse_url(repository.url, allow_protocols=frozenset(config.gitsync_allow_protocols))
    return Remote(
        url=url,
        ref=parse_ref(repository.ref),
        scope=parse_scope(repository.subpath, repository.include),
        credential=_credential(repository, url),
        mirror=mirror_of(repository.pk),
    )


def mirror_of(repository_id: int) -> Mirror:
    """Return the mirror. Its folder is named by primary key, never by url or name, which users choose."""
    directory = properties().base_data_dir / "mirrors" / str(repository_id)
    return Mirror(directory, client(), tree_limits())


def sweep() -> int:
    """Remove files with credentials that killed processes left behind; return how many."""
    return client().sweep()


@lru_cache(maxsize=1)
def client() -> GitClient:
    """Return the git client that this process shares."""
    config = properties()
    ca_info = config.gitsync_ssl_ca_info
    return GitClient(
        GitSettings(
            home=config.base_data_dir / "git-home",
            timeout_seconds=config.gitsync_git_timeout_ms / 1000,
            allow_protocols=frozenset(config.gitsync_allow_protocols),
            allow_private_hosts=frozenset(config.gitsync_allow_private_hosts),
            ssl_ca_info=str(ca_info) if ca_info else None,
            # Packs are compressed, and contain trees as well as files.
            max_pack_bytes=2 * config.gitsync_max_tree_bytes,
        )
    )


def tree_limits() -> TreeLimits:
    """Return the limits for a commit's tree."""
    config = properties()
    return TreeLimits(
        max_files=config.gitsync_max_files,
        max_file_bytes=config.gitsync_max_file_bytes,
        max_tree_bytes=config.gitsync_max_tree_bytes,
        max_path_bytes=config.gitsync_max_path_bytes,
    )


def _credential(repository: Repository, url: RemoteUrl) -> Credential | None:
    connection = repository.credential
    if connection is None:
        return None
    try:
        return credential_from_properties(connection.properties(), url)
    except KiokError as exc:
        raise CredentialUnusable(f"connection {connection.pk!r}: {exc}") from exc
