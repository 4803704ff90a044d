"""The known_hosts format: find the keys of a host, and add a key.

The format is that of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: `[@marker] hosts type base64 [comment]`, where `hosts` is a list
of patterns or a hashed name. The keys of a host are those that ssh would use.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from collections.abc import Iterator

_KEY = re.compile(r"[A-Za-z0-9@._-]+ [A-Za-z0-9+/]+={0,2}")


def keys_for(text: str, name: str) -> tuple[str, ...]:
    """Return the keys that are listed for a host, each as `[@marker ]<type> <base64>`.

    `name` is the host as returned by `credentials.known_hosts_name`. Keys of certificate authorities and revoked keys are
    included, since they also show that a person has decided about this host.
    """
    return tuple(key for hosts, key in _lines(text) if _names(hosts, name.lower()))


def with_key(text: str, name: str, key: str) -> str:
    """Return the text with the key added. Raises ValueError if the key is malformed."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:60]!r} is not a host key of the form '<type> <base64>'")
    before = text.rstrip("\r\n")
    return f"{before}\n{name} {key}\n" if before else f"{name} {key}\n"


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        fields = line.split()
        marker = f"{fields.pop(0)} " if fields and fields[0].startswith("@") else ""
        if len(fields) >= 3 and not fields[0].startswith("#"):
            yield fields[0], f"{marker}{fields[1]} {fields[2]}"


def _names(hosts: str, name: str) -> bool:
    """Return whether the first field of a line names the host."""
    if hosts.startswith("|"):
        return _is_hash_of(hosts, name)
    patterns = hosts.lower().split(",")
    if any(_matches(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_matches(pattern, name) for pattern in patterns if not pattern.startswith("!"))


def _is_hash_of(hashed: str, name: str) -> bool:
    """Return whether `|1|<salt>|<HMAC-SHA1 of the name>` is the hash of this name."""
    try:
        _, version, salt, digest = hashed.split("|")
        expected = base64.b64decode(digest)
        found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
    except (ValueError, binascii.Error):
        return False
    return version == "1" and hmac.compare_digest(found, expected)


def _matches(pattern: str, name: str) -> bool:
    """Return whether the name matches, with ssh's `*` and `?`. Brackets are literal, as in `[host]:port`."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))
