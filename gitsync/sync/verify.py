"""Step "verify": reject a commit or tag without a good signature by a trusted key."""

from __future__ import annotations

import logging

from gitsync.git import signature
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.ref import RefKind
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties
from gitsync.git.signer import Signer
from gitsync.models import Repository, Verify
from gitsync.sync.remote import CredentialUnusable, Remote, client
from kiok.connections.models import Connection
from kiok.errors import KiokError

log = logging.getLogger(__name__)


class TrustedKeysUnreadable(CredentialUnusable):
    """Error for a connection with trusted keys that cannot be decrypted.

    Retried with exponential back-off: no row shows when the master key is correct again.
    """

    transient = True


def verify_commit(remote: Remote, repository: Repository, commit: str) -> Signer | None:
    """Verify the signature that the repository's `verify` requires and return the signer, or None if it is off.

    The keys are decrypted here, per sync, so that a changed key counts at the next sync. Raises GitError (with the
    reasons of `gitsync.git.signature.verify`) and TrustedKeysUnreadable.
    """
    if repository.verify == Verify.OFF:
        return None
    of_tag = repository.verify == Verify.TAG
    signer = signature.verify(
        client(),
        remote.mirror.git_directory,
        "tag" if of_tag else "commit",
        _trusted_keys(repository.verify_keys),
        commit=commit,
        tag_name=_tag_name(remote, commit) if of_tag else None,
    )
    log.info("%s of %s is signed by %s (%s)", commit[:12], repository.name, signer.name, signer.fingerprint)
    return signer


def _tag_name(remote: Remote, commit: str) -> str | None:
    """Return the tag that the commit was fetched by, or None.

    For a range, the tag is resolved again at the server, because the fetch kept only the commit that the tag points to.
    """
    if remote.ref.kind is RefKind.TAG:
        return remote.ref.name
    if remote.ref.kind is not RefKind.SEMVER:
        return None
    chosen = remote.mirror.resolve(remote.url, remote.ref, remote.credential)
    if chosen.commit != commit:
        raise git_error(
            GitReason.UNKNOWN,
            f"the tags of {remote.url.display} changed while {chosen.ref} was being verified",
        )
    return chosen.ref.name


def _trusted_keys(connection: Connection | None) -> TrustedKeys:
    if connection is None:
        raise git_error(
            GitReason.SIGNATURE_KEYS_UNUSABLE,
            "signature verification is on, but the repository names no connection with trusted keys "
            "(verifyConnectionId)",
        )
    try:
        properties = connection.properties()
    except KiokError as exc:
        raise TrustedKeysUnreadable(f"connection {connection.pk!r}: {exc}") from exc
    try:
        return trusted_keys_from_properties(properties)
    except GitError as exc:
        raise git_error(exc.reason, f"connection {connection.pk!r}: {exc}") from exc
