"""Remote of a repository row: url, ref, credential, mirror; and the lookup of its ref among the refs of the remote.

The credential is decrypted here, per sync, so that a rotated secret is used from the next sync on. It lives as long as
the `Remote` that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gitsync.errors import DeclarationRefused, SyncError, SyncReason
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import Credential, credential_from_properties
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import Ref, RefKind, nearest_names, parse_ref
from gitsync.git.remote_refs import RemoteRefs
from gitsync.git.scope import FetchScope, parse_scope
from gitsync.git.semver import choose
from gitsync.git.tree import TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from kiok.cluster.conf import properties
from kiok.errors import KiokError

MAX_NAME_CHARACTERS = 200


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


def find_ref(remote: Remote, refs: RemoteRefs) -> tuple[str, str, str]:
    """Return the commit of the ref, the reason and the message, which says what exists if the ref does not."""
    ref = remote.ref
    if ref.kind is RefKind.COMMIT:
        return ref.name, "", f"The server answers. {_commit_seen(ref.name, refs)}"
    there = refs.branches if ref.kind is RefKind.BRANCH else refs.tags
    if ref.kind is not RefKind.SEMVER and (commit := there.get(ref.name)):
        return commit, "", f"The server answers and has {ref.kind} {ref.name!r} at {commit[:10]}."
    if not refs.is_complete or not (refs.branches or refs.tags):
        return _ask_for_ref(remote)
    if ref.kind is RefKind.SEMVER:
        return _find_release(ref.name, refs)
    return (
        "",
        GitReason.REF_MISSING,
        f"The server answers, but has no {ref.kind} {ref.name!r}{_hint(ref, refs)}.",
    )


def _ask_for_ref(remote: Remote) -> tuple[str, str, str]:
    """Request the ref itself, after the server listed nothing, or more refs than were read."""
    try:
        commit = remote.probe()
    except GitError as error:
        if error.reason is GitReason.REF_MISSING and "is empty" in str(error):
            return "", error.reason, "The repository is empty: it has no branches and no tags. Push one."
        return "", error.reason, str(error)
    return commit, "", f"The server answers and has {remote.ref} at {commit[:10]}."


def _commit_seen(commit: str, refs: RemoteRefs) -> str:
    for kind, names in (("branch", refs.branches), ("tag", refs.tags)):
        for name, tip in names.items():
            if tip == commit:
                return f"Commit {commit[:10]} is the current commit of {kind} {name[:MAX_NAME_CHARACTERS]!r}."
    return f"No branch or tag is at commit {commit[:10]}; the next sync shows whether the server serves it."


def _find_release(wanted: str, refs: RemoteRefs) -> tuple[str, str, str]:
    choice = choose(wanted, list(refs.tags))
    if choice.best is not None:
        commit = refs.tags[choice.best.tag]
        found = f"The server answers; the highest version in {wanted!r} is tag {choice.best.tag!r} at {commit[:10]}."
        return commit, "", found
    highest = ", ".join(repr(release.tag) for release in choice.releases[:5])
    there = (
        f"its highest versions are {highest}" if highest else "none of its tags is a version like 'v1.2.3'"
    )
    return "", GitReason.REF_MISSING, f"The server answers, but no tag is in the range {wanted!r}: {there}."


def _hint(ref: Ref, refs: RemoteRefs) -> str:
    if ref.kind is RefKind.BRANCH and ref.name in refs.tags:
        return f", only a tag of that name: write tag:{ref.name}"
    if ref.kind is RefKind.TAG and ref.name in refs.branches:
        return f", only a branch of that name: write {ref.name}"
    names = refs.branches if ref.kind is RefKind.BRANCH else refs.tags
    kind = "branches" if ref.kind is RefKind.BRANCH else "tags"
    counted = f" among its {len(names)} {kind}" if len(names) > 1 else ""
    if near := nearest_names(ref.name, names, count=1):
        return f"{counted}; did you mean {near[0]!r}?"
    default = refs.default_branch
    return (
        f"{counted}; its default branch is {default!r}" if ref.kind is RefKind.BRANCH and default else counted
    )
