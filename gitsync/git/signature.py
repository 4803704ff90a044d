"""Verification of the signature of a fetched commit or tag against trusted keys, with git's own commands.

Only the given keys are trusted. Each call creates a private directory with just these keys, and removes it. The machine's
gpg configuration, keyrings, agents and trust database are not used. git finds the signature and its format, gpg or
ssh-keygen verifies it, and their machine-readable output is checked here: the exit status alone does not suffice.
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
# Passed on each call, so that no file can set them. Trust is decided by fingerprint, not by gpg's trust levels.
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
    """The trusted keys: ASCII-armored OpenPGP public keys, and ssh allowed_signers lines."""

    openpgp: str = field(default="", repr=False)
    allowed_signers: str = field(default="", repr=False)


def trusted_keys_from_properties(properties: Mapping[str, str]) -> TrustedKeys:
    """Return the trusted keys of a connection, from its properties `openpgpKeys` and `allowedSigners`.

    A blank property counts as absent. Raises GitError (SIGNATURE_KEYS_UNUSABLE), which names the property and, if
    possible, the line.
    """
    openpgp, allowed_signers = (
        properties.get(name, "").strip() for name in ("openpgpKeys", "allowedSigners")
    )
    if not openpgp and not allowed_signers:
        raise git_error(
            GitReason.SIGNATURE_KEYS_UNUSABLE,
            "the connection has neither 'openpgpKeys' (ASCII-armored public keys) nor 'allowedSigners' (ssh "
            "allowed_signers lines). Add one of them to verify signatures",
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
    """Verify the fetched commit, or the annotated tag of the mirror's ref, and return its signer.

    `commit` is the full id of the fetched commit. For a tag, the outermost tag object must be signed (it contains the id
    of its target), must lead to `commit`, and must be named `tag_name` if that is given, since a signed tag object
    verifies under any ref. A key must be valid now; the date of the commit is not used.

    Raises GitError: SIGNATURE_MISSING, SIGNATURE_REFUSED with the object's id and the claimed signer,
    SIGNATURE_KEYS_UNUSABLE, GIT_MISSING (gpg or ssh-keygen is not installed), and the errors of any git command, also if
    gpg or ssh-keygen reached no verdict.
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
            if not exc.judged:  # a full disk, for example, does not make a signature bad
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
    """Return git's exit status and stderr, which has with --raw the machine-readable output of gpg or ssh-keygen."""
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
    """Create a private directory for one call in which programs can run. The one for secrets is often mounted noexec."""
    root = client.settings.home / "verify"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        sweep_stale(root)
        with call_directory(root) as directory:
            yield directory
    except OSError as exc:
        raise git_error(
            GitReason.DISK_FULL, f"the trusted keys cannot be written under {root}: {exc}"
        ) from exc
