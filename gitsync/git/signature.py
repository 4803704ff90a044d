"""Whether a fetched commit or tag is signed by a trusted key, by git's own verification.

Only the keys given count. Each call makes a private directory with them and nothing else, and removes it; the
machine's gpg configuration, keyrings, agents and trust have no say. git finds the signature and its form, gpg or
ssh-keygen verifies it, and what they print for machines is read here: an exit status alone is never believed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitsync.git.allowed_signers import AllowedSigners, check_allowed_signers
from gitsync.git.client import GitClient
from gitsync.git.errors import GitReason, git_error
from gitsync.git.failure import failure
from gitsync.git.openpgp import Keyring, check_public_keys
from gitsync.git.private_directory import call_directory, sweep_stale
from gitsync.git.process import OutputLimitPassed, TimeLimitPassed
from gitsync.git.redaction import Redactor
from gitsync.git.signed_object import SignedObject, Subject, read_signed_commit, read_signed_tag
from gitsync.git.signer import RefusalError, SignatureKind, Signer

_MAX_OUTPUT_BYTES = 1 << 20
# Set on each call, so that no file can. What is trusted is decided by fingerprint, not by gpg's levels.
_CONFIG: Mapping[str, str] = {
    "gpg.minTrustLevel": "undefined",
    "gpg.program": "/bin/false",
    "gpg.openpgp.program": "/bin/false",
    "gpg.x509.program": "/bin/false",
    "gpg.ssh.program": "/bin/false",
    "gpg.ssh.allowedSignersFile": "/dev/null",
    "gpg.ssh.revocationFile": "/dev/null",
    "gpg.ssh.defaultKeyCommand": "/bin/false",
}


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys whose signatures count: ASCII-armored OpenPGP public keys, ssh allowed_signers lines."""

    openpgp: str = field(default="", repr=False)
    allowed_signers: str = field(default="", repr=False)


def trusted_keys_from_properties(properties: Mapping[str, str]) -> TrustedKeys:
    """The trusted keys a connection holds: its properties `openpgpKeys` and `allowedSigners`; blank is absent.

    Raises GitError (SIGNATURE_KEYS_UNUSABLE) naming the property, and the line where there is one.
    """
    openpgp, allowed_signers = (
        properties.get(name, "").strip() for name in ("openpgpKeys", "allowedSigners")
    )
    if not openpgp and not allowed_signers:
        raise git_error(
            GitReason.SIGNATURE_KEYS_UNUSABLE,
            "the connection has neither 'openpgpKeys' (ASCII-armored public keys) nor 'allowedSigners' (ssh "
            "allowed_signers lines), one of which is needed to verify signatures",
        )
    if openpgp:
        openpgp = check_public_keys(openpgp)
    if allowed_signers:
        allowed_signers = "\n".join(allowed_signers.splitlines()) + "\n"
        check_allowed_signers(allowed_signers)
    return TrustedKeys(openpgp, allowed_signers)


def verify(
    client: GitClient,
    git_directory: Path,
    subject: Subject,
    keys: TrustedKeys,
    *,
    commit: str,
    tag_name: str | None = None,
    inherit: Sequence[int] = (),
) -> Signer:
    """Who of `keys` signed the fetched commit, or the annotated tag that the mirror's ref names.

    `commit` is the commit fetched, in full. For a tag, the outermost tag object has to be signed (what it points to
    is named in it by id), has to lead to `commit`, and where `tag_name` is given has to be called so: a signed tag
    object verifies under any ref. A key counts only while it is valid now; the date a commit claims is not asked.

    Raises GitError: SIGNATURE_MISSING, SIGNATURE_REFUSED with the object's id and the signer seen,
    SIGNATURE_KEYS_UNUSABLE, GIT_MISSING (gpg or ssh-keygen is not installed), and those of any git command, also where
    gpg or ssh-keygen came to no verdict.
    """
    if subject == "tag":
        signed = read_signed_tag(client, git_directory, commit, tag_name, inherit)
    else:
        signed = read_signed_commit(client, git_directory, commit, inherit)
    with _directory(client) as directory:
        verifier: Keyring | AllowedSigners
        if signed.kind is SignatureKind.OPENPGP:
            verifier = Keyring(client, directory, keys.openpgp)
        else:
            verifier = AllowedSigners(directory, keys.allowed_signers, signed.signature)
        status, raw = _git_verify(client, git_directory, signed, verifier.config(), inherit)
        try:
            return verifier.judge(status, raw)
        except RefusalError as exc:
            if not exc.judged:  # a full disk, say, is nobody's bad signature
                raise failure(
                    f"verifying {signed.label}", status, raw, url=None, handover=None, redact=Redactor()
                ) from exc
            raise git_error(
                GitReason.SIGNATURE_REFUSED,
                f"{signed.label} is refused: its signature {exc}. Nothing was changed",
            ) from exc


def _git_verify(
    client: GitClient,
    git_directory: Path,
    signed: SignedObject,
    config: Mapping[str, str],
    inherit: Sequence[int],
) -> tuple[int, str]:
    """Git's exit status, and what it printed: with --raw, the words of gpg or ssh-keygen for machines."""
    command = f"verify-{signed.subject}"
    options = [word for key, value in {**_CONFIG, **config}.items() for word in ("-c", f"{key}={value}")]
    arguments = [*options, command, "--raw", signed.object_id]
    with client.open(arguments, directory=git_directory, inherit=inherit) as process:
        try:
            status, _ = process.finish(
                None,
                timeout_seconds=client.settings.timeout_seconds,
                max_output_bytes=_MAX_OUTPUT_BYTES,
            )
        except (TimeLimitPassed, OutputLimitPassed) as exc:
            limit = client.settings.timeout_seconds
            raise git_error(GitReason.TIMEOUT, f"git {command} was stopped after {limit:g} s") from exc
        return status, process.stderr


@contextlib.contextmanager
def _directory(client: GitClient) -> Iterator[Path]:
    """A private directory for one call, in which programs can be run: where secrets go, they often cannot."""
    root = client.settings.home / "verify"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        sweep_stale(root)
        with call_directory(root) as directory:
            yield directory
    except OSError as exc:
        raise git_error(GitReason.DISK_FULL, f"the trusted keys cannot be put under {root}: {exc}") from exc
