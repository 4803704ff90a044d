"""Reading of signed commit and tag objects, with the signature located in the same way as git does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitsync.git.client import GitClient
from gitsync.git.commit_object import header_values
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.mirror import HEAD_REF
from gitsync.git.signer import SignatureKind, shown

Subject = Literal["commit", "tag"]

_MAX_OBJECT_BYTES = 1 << 20
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_X509 = b"-----BEGIN SIGNED MESSAGE-----"
_MARKERS = {
    b"-----BEGIN PGP SIGNATURE-----": SignatureKind.OPENPGP,
    b"-----BEGIN SSH SIGNATURE-----": SignatureKind.SSH,
}
# The markers of a signature in git's gpg-interface.c. A PGP MESSAGE is not a detached signature: it would cover the content
# that it contains.
_GIT_MARKERS = (*_MARKERS, b"-----BEGIN PGP MESSAGE-----", _X509)


@dataclass(frozen=True, slots=True)
class SignedObject:
    """A commit or tag object with a signature. `label` is its name in messages: `commit <id>` or `tag 'v1' (<id>)`."""

    subject: Subject
    object_id: str
    label: str
    kind: SignatureKind
    signature: bytes


def read_signed_commit(
    client: GitClient, git_directory: Path, commit: str, inherit: Sequence[int]
) -> SignedObject:
    """Return the commit with its signature. Raises GitError (SIGNATURE_MISSING if it has none)."""
    if not _OBJECT_ID.fullmatch(commit):
        raise git_error(
            GitReason.UNSUPPORTED, f"{commit[:80]!r} is not a commit whose signature can be verified"
        )
    label = f"commit {commit}"
    content = _read(client, git_directory, "commit", commit, inherit)
    # Each of git's object formats has its own header. A commit can also have that of the other format.
    signatures = header_values(content, b"gpgsig" if len(commit) == 40 else b"gpgsig-sha256")
    if not signatures:
        raise git_error(
            GitReason.SIGNATURE_MISSING,
            f"{label} is not signed, but the repository requires a signature. Nothing was changed. "
            "Sign it (git commit --amend -S) and push it",
        )
    if len(signatures) > 1:
        raise _refused(label, "it has several signatures, so it is not clear which one counts")
    return SignedObject("commit", commit, label, _kind(label, signatures[0]), signatures[0])


def read_signed_tag(
    client: GitClient, git_directory: Path, commit: str, tag_name: str | None, inherit: Sequence[int]
) -> SignedObject:
    """Return the tag object of the mirror's ref, with its signature. Raises like `verify`."""
    tag = _resolve(client, git_directory, HEAD_REF, inherit)
    kind = client.run(["cat-file", "-t", tag], directory=git_directory, inherit=inherit)
    if kind.strip() != b"tag":
        raise git_error(
            GitReason.SIGNATURE_MISSING,
            f"the ref points to commit {commit} without a tag object: it is a commit, a branch or a lightweight tag, and "
            "only an annotated tag can be signed. Nothing was changed. Create a signed tag (git tag -s) and push it, or "
            "verify the commit's signature instead",
        )
    content = _read(client, git_directory, "tag", tag, inherit)
    name = b"".join(header_values(content, b"tag")[:1]).decode("utf-8", "replace")
    label = f"tag {shown(name)!r} ({tag})"
    if _resolve(client, git_directory, f"{tag}^{{commit}}", inherit) != commit:
        raise git_error(GitReason.MIRROR_BROKEN, f"{label} in the mirror does not lead to commit {commit}")
    signature = _tag_signature(content)
    if not signature:
        raise git_error(
            GitReason.SIGNATURE_MISSING,
            f"{label} is not signed, but the repository requires a signature. Nothing was changed. "
            "Create a signed tag (git tag -s) and push it",
        )
    if tag_name is not None and name != tag_name:
        # A signed tag verifies under any ref. Without this check, a user who can push could deploy an old release
        # under a new name.
        raise _refused(label, f"it was signed under that name, but the ref {shown(tag_name)!r} points to it")
    return SignedObject("tag", tag, label, _kind(label, signature), signature)


def _read(client: GitClient, git_directory: Path, kind: str, object_id: str, inherit: Sequence[int]) -> bytes:
    return client.run(
        ["cat-file", kind, object_id],
        directory=git_directory,
        inherit=inherit,
        max_output_bytes=_MAX_OBJECT_BYTES,
    )


def _resolve(client: GitClient, git_directory: Path, name: str, inherit: Sequence[int]) -> str:
    found = client.run(["rev-parse", "--verify", name], directory=git_directory, inherit=inherit)
    return found.decode("ascii", "replace").strip()


def _tag_signature(content: bytes) -> bytes:
    """Return the content from the last line that begins a signature, as git splits it."""
    lines = content.split(b"\n")
    starts = [index for index, line in enumerate(lines) if line.startswith(_GIT_MARKERS)]
    return b"\n".join(lines[starts[-1] :]) if starts else b""


def _kind(label: str, signature: bytes) -> SignatureKind:
    for marker, kind in _MARKERS.items():
        if signature.startswith(marker):
            end = signature.find(marker.replace(b"BEGIN", b"END"))
            if b"\n" in signature[end:].strip():  # this text would not be signed
                raise _refused(label, "it has text after its signature")
            return kind
    if signature.startswith(_X509):
        raise _refused(label, "it is signed with x509 (S/MIME), which is not supported. Use OpenPGP or ssh")
    raise _refused(label, "its signature is neither OpenPGP nor ssh")


def _refused(label: str, why: str) -> GitError:
    return git_error(GitReason.SIGNATURE_REFUSED, f"{label} is refused: {why}. Nothing was changed")
