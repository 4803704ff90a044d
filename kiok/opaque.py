"""Detection of files whose bytes stand for another file: Git LFS pointers, encrypted files.

Neither is in a DAG format, and neither says anything about the DAGs in the file that it stands for.
"""

from __future__ import annotations

import re

_LFS_VERSIONS = (b"version https://git-lfs", b"version https://hawser.github.com/spec/")
_ANNEX_POINTER = re.compile(rb"/annex/objects/[A-Z0-9_]+-")
# https://github.com/AGWA/git-crypt/blob/master/gpg.hpp, https://age-encryption.org/v1, RFC 9580 section 6.2,
# https://docs.ansible.com/ansible/latest/vault_guide/vault_using_encrypted_content.html,
# https://docs.openssl.org/master/man1/openssl-enc/ (as base64 for transcrypt), https://github.com/uw-labs/strongbox
_ENCRYPTED_PREFIXES = {
    b"\0GITCRYPT\0": "git-crypt",
    b"$ANSIBLE_VAULT;": "ansible-vault",
    b"age-encryption.org/v1": "age",
    b"-----BEGIN AGE ENCRYPTED FILE-----": "age",
    b"-----BEGIN PGP MESSAGE-----": "OpenPGP",
    b"# STRONGBOX ENCRYPTED RESOURCE": "strongbox",
    b"Salted__": "openssl enc",
    b"U2FsdGVkX1": "openssl enc",
}
_SOPS_VALUE = b"ENC[AES256_GCM,"
_SOPS_KEY = re.compile(rb"""^[ \t{]*["']?sops["']?[ \t]*:""", re.MULTILINE)
# Tags of the first packet of an OpenPGP message, with the possible versions (RFC 9580, section 5).
_OPENPGP_PACKETS = {1: (3, 6), 3: (4, 5, 6)}


def opaque_reason(content: bytes, noun: str = "file") -> str | None:
    """Return why `content` cannot be the DAG file itself, and what to do; None if it may be.

    `noun` names what a pointer stands for: "file", "jar". Only the beginning is examined, except for sops, which
    encrypts single values.
    """
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if start.startswith(_LFS_VERSIONS):
        return (
            f"this is a Git LFS pointer, not the {noun} it points to; commit the {noun} itself "
            f"(`git lfs untrack` its path, then `git add --renormalize` it), or list it in .kiokignore"
        )
    if _ANNEX_POINTER.match(start):
        return (
            f"this is a git-annex pointer, not the {noun} it points to; commit the {noun} itself "
            f"(`git annex unannex` it), or list it in .kiokignore"
        )
    tool = _encrypted_by(content, start)
    if tool is None:
        return None
    return (
        f"this {noun} is encrypted ({tool}), and kiok has no key for it; commit it unencrypted, with its secrets as "
        "references such as ${secret.<name>}, or list it in .kiokignore"
    )


def _encrypted_by(content: bytes, start: bytes) -> str | None:
    for prefix, tool in _ENCRYPTED_PREFIXES.items():
        if start.startswith(prefix) or content.startswith(prefix):
            return tool
    if _SOPS_VALUE in content and _SOPS_KEY.search(content):
        return "sops"
    return "OpenPGP" if _begins_openpgp_message(content[:8]) else None


def _begins_openpgp_message(start: bytes) -> bool:
    """Return whether the first packet is an encrypted session key of a known version."""
    if len(start) < 8 or not start[0] & 0x80:
        return False
    if start[0] & 0x40:  # the newer packet format
        tag = start[0] & 0x3F
        length_bytes = 1 if start[1] < 192 else 2 if start[1] < 224 else 5
    else:
        tag = start[0] >> 2 & 0x0F
        length_bytes = {0: 1, 1: 2, 2: 4}.get(start[0] & 3, 0)
    return start[1 + length_bytes] in _OPENPGP_PACKETS.get(tag, ()) if length_bytes else False
