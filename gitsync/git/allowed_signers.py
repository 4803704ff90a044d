"""ssh signatures: the allowed_signers format, and ssh-keygen's verdict on a signature.

See ssh-keygen(1), ALLOWED SIGNERS, for the format of the lines, and OpenSSH's PROTOCOL.sshsig for that of signatures.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.private_directory import write_private
from gitsync.git.signer import RefusalError, SignatureKind, Signer, shown

_KEY_TYPE = re.compile(r"(ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+")
_CERTIFICATE = "-cert-v01@openssh.com"
_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
_GOOD = re.compile(r'^Good "git" signature for (.+) with \S+ key (SHA256:[A-Za-z0-9+/]{43})$', re.MULTILINE)
_ARMOR = re.compile(r"-----BEGIN SSH SIGNATURE-----\n(.*?)\n-----END SSH SIGNATURE-----\s*", re.DOTALL)

# git passes the date of the commit as the time at which the key must be valid. The owner of an expired key can forge an
# old date. So this wrapper drops that option, and the key must be valid now, as with OpenPGP.
_PROGRAM = """\
#!/bin/sh
for argument do
  shift
  case "$argument" in
    -Overify-time=*) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {ssh_keygen} "$@"
"""


def check_allowed_signers(text: str) -> dict[str, str]:
    """Return the signers by key fingerprint (`SHA256:...`). Raises GitError (SIGNATURE_KEYS_UNUSABLE)."""
    signers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = _WORD.findall(line)
        if not words or line.lstrip().startswith("#"):
            continue
        if _KEY_TYPE.fullmatch(words[0]):
            raise _unusable(number, "begins with the key. Put the signer's name before it")
        options = "" if len(words) > 1 and _KEY_TYPE.fullmatch(words[1]) else "".join(words[1:2])
        key = words[2:4] if options else words[1:3]
        if "cert-authority" in options.lower().split(","):
            raise _unusable(number, "names a certificate authority, which is not supported. List each key")
        if len(key) != 2 or not _KEY_TYPE.fullmatch(key[0]):
            raise _unusable(number, "is not '<name> [options] <key type> <key>'")
        signers[_fingerprint(_decoded(number, *key))] = shown(words[0].strip('"'))
    if not signers:
        raise _unusable(None, "contains no line '<name> [options] <key type> <key>'")
    return signers


class AllowedSigners:
    """A verifier for ssh signatures: ssh-keygen with the given allowed signers.

    `directory` is private and removed by the caller.
    """

    def __init__(self, directory: Path, allowed_signers: str, signature: bytes) -> None:
        """Write the allowed signers and the program. Raises GitError (GIT_MISSING, SIGNATURE_KEYS_UNUSABLE)."""
        ssh_keygen = shutil.which("ssh-keygen")
        if ssh_keygen is None:
            raise git_error(
                GitReason.GIT_MISSING,
                "the ssh signature cannot be verified: ssh-keygen is not installed or not on the PATH of the service. "
                "Install OpenSSH 8.2 or later (Debian package openssh-client)",
            )
        self._signature = signature
        self._signers = check_allowed_signers(allowed_signers) if allowed_signers else {}
        self._program, self._file = directory / "ssh-keygen", directory / "allowed_signers"
        self._program.write_text(_PROGRAM.format(ssh_keygen=shlex.quote(ssh_keygen)), encoding="utf-8")
        self._program.chmod(0o700)
        write_private(self._file, allowed_signers)

    def config(self) -> dict[str, str]:
        """Return the git configuration for a verification with these signers."""
        return {"gpg.ssh.program": str(self._program), "gpg.ssh.allowedSignersFile": str(self._file)}

    def judge(self, status: int, raw: str) -> Signer:
        """Return the signer that git's exit status and ssh-keygen's output attest. Raises RefusalError."""
        return signer_from_words(status, raw, self._signature, self._signers)


def signer_from_words(status: int, raw: str, signature: bytes, signers: Mapping[str, str]) -> Signer:
    """Return the signer that `git verify-commit --raw` or `verify-tag --raw` attests.

    `status` is git's exit status, `raw` its output, `signature` the armored signature, `signers` the names of the trusted
    keys by fingerprint. All must agree. Raises RefusalError.
    """
    fingerprint = _signing_key(signature)
    key = f"ssh key {fingerprint}"
    good = _GOOD.findall(raw)
    if status == 0 and len(good) == 1 and good[0][1] == fingerprint and fingerprint in signers:
        return Signer(SignatureKind.SSH, shown(good[0][0]), fingerprint)
    if fingerprint not in signers:
        raise RefusalError(f"is by {key}, which is not among the trusted keys")
    key += f" ({signers[fingerprint]})"
    if "No principal matched" in raw or "key is not permitted" in raw:
        raise RefusalError(
            f"is by {key}, which is not valid now or not valid for git (options valid-after, valid-before, namespaces)"
        )
    verdict = "Could not verify signature" in raw or "verification failed" in raw
    raise RefusalError(f"does not match the signed content. It claims to be by {key}", judged=verdict)


def _signing_key(signature: bytes) -> str:
    """Return the fingerprint of the key that an armored signature names. Raises RefusalError."""
    armor = _ARMOR.fullmatch(signature.decode("ascii", "replace"))
    blob = _base64("".join(armor[1].split())) if armor else b""
    # "SSHSIG", the version, then the public key as a length-prefixed string.
    size = int.from_bytes(blob[10:14], "big")
    key = blob[14 : 14 + size]
    if not blob.startswith(b"SSHSIG\0\0\0\x01") or len(key) != size or size < 4:
        raise RefusalError("is not well-formed")
    if _type_of(key).endswith(_CERTIFICATE):
        raise RefusalError("is by an ssh certificate, which is not supported. Sign with a plain key")
    return _fingerprint(key)


def _decoded(number: int, key_type: str, text: str) -> bytes:
    blob = _base64(text)
    if _type_of(blob) != key_type:
        raise _unusable(number, f"has no {key_type} key after its type: the key is truncated or mistyped")
    return blob


def _base64(text: str) -> bytes:
    """Return the decoded bytes, or no bytes if the text is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error among them
        return b""


def _type_of(key: bytes) -> str:
    return key[4 : 4 + int.from_bytes(key[:4], "big")].decode("ascii", "replace")


def _fingerprint(key: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _unusable(line: int | None, why: str) -> GitError:
    where = "the property 'allowedSigners'" + (f", line {line}," if line else "")
    return git_error(GitReason.SIGNATURE_KEYS_UNUSABLE, f"{where} {why}")
