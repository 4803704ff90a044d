"""The error texts of git, ssh and curl, with the reason of each.

They are those of git 2.39 to 2.47, OpenSSH 9 and libcurl with OpenSSL or GnuTLS, with LC_ALL=C.
"""

from __future__ import annotations

import re

from gitsync.git.errors import GitReason

Signs = tuple[tuple[GitReason, re.Pattern[str]], ...]


def _signs(*patterns: tuple[GitReason, str]) -> Signs:
    return tuple((reason, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for reason, pattern in patterns)


def reason_by(signs: Signs, text: str) -> GitReason | None:
    """Return the reason of the first pattern that matches the text, or None."""
    return next((reason for reason, pattern in signs if pattern.search(text)), None)


# The server's own message is needed here: git reports only "bad pack header".
DAMAGED_REPOSITORY = re.compile(
    r"^(remote|fatal: git upload-pack): aborting due to possible repository corruption on the remote side",
    re.MULTILINE,
)

# In protocol version 2, in version 0, and from a server that is too old for object formats.
OTHER_OBJECT_FORMAT = re.compile(
    r"mismatched algorithms|server does not support this repository's object format|server does not support algorithm",
    re.IGNORECASE,
)

# Errors of this machine and of setting up the connection. They have precedence over the status of a response.
LOCAL_SIGNS = _signs(
    (GitReason.DISK_FULL, r"no space left on device|disk quota exceeded"),
    # The kernel's limits on a git process, see gitsync.git.process.
    (GitReason.TREE_TOO_LARGE, r"file too large"),
    (GitReason.OUTPUT_TOO_LARGE, r"^fatal: out of memory|^fatal: mmap failed: cannot allocate memory"),
    (
        GitReason.HOST_KEY_CHANGED,
        r"remote host identification has changed|host key .* was revoked|offending .* key",
    ),
    (GitReason.HOST_KEY_UNKNOWN, r"no \S+ host key is known for|host key verification failed"),
    (
        GitReason.PROTOCOL_NOT_ALLOWED,
        r"^fatal: transport '.*' not allowed|protocol .* (not supported|disabled)",
    ),
)

OTHER_SIGNS = _signs(
    (GitReason.REDIRECT_REFUSED, r"base from redirection"),
    # OpenSSH reports an unreadable key in this way and continues without it.
    (
        GitReason.CREDENTIAL_INVALID,
        r'^load key ".*": (invalid format|error in libcrypto|incorrect passphrase)',
    ),
    (
        GitReason.AUTHENTICATION_FAILED,
        r"^fatal: authentication failed for|could not read (username|password)|terminal prompts disabled"
        r"|permission denied \(|too many authentication failures"
        r"|no supported authentication methods|unable to read askpass response",
    ),
    (
        GitReason.CERTIFICATE_REFUSED,
        r"certificate verif|ssl certificate|certificate problem|no alternative certificate subject"
        r"|error setting certificate",
    ),
    (
        GitReason.REPOSITORY_NOT_FOUND,
        r"^fatal: (remote error: )?repository '?.*'? (not found|does not exist)"
        r"|does not appear to be a git repository|repository not found|no such project"
        r"|project you were looking for could not be found|access denied or repository not exported",
    ),
    # The connection broke within a pack. The server spoke git until then, so other errors about the rest do not count.
    (GitReason.NETWORK, r"unexpected disconnect while reading sideband packet"),
    (
        # A web page instead of a repository, a proxy's response, or the greeting of a login shell.
        GitReason.NOT_GIT,
        r"info/refs not valid: is this a git repository|invalid server response|bad pack header"
        r"|protocol error: (bad line|bad band|unexpected)"
        r"|pack signature mismatch|unexpected (content-type|line:)|expected flush after",
    ),
    (GitReason.REF_MISSING, r"couldn't find remote ref|^fatal: (remote error|git).*: not our ref "),
    (GitReason.COMMIT_NOT_SERVED, r"does not allow request for unadvertised object"),
    (
        GitReason.UNSUPPORTED,
        r"dumb http transport does not support|mismatched algorithms|does not support shallow"
        r"|unable to negotiate with|no matching .* found|server does not support|filter '[^']*' not supported",
    ),
    # Not a transmission error: https and ssh detect those.
    (
        GitReason.CONTENT_REFUSED,
        r"pack has (bad object|junk)|pack is corrupted|unknown object type|bad object header",
    ),
    (GitReason.CONTENT_REFUSED, r"fsck error|error in object|error: object [0-9a-f]{40,64}: "),
    (
        GitReason.MIRROR_BROKEN,
        r"not a git repository|unable to create '.*\.lock'|shallow file has changed|bad config"
        r"|missing (blob|tree|commit)|bad object|object file .* is empty|is corrupt|loose object"
        r"|did not send all|unresolved deltas|packfile .* (cannot|does not)"
        r"|unable to read (tree|sha1|[0-9a-f]{40})|invalid sha1 pointer|cannot lock ref|broken links?"
        r"|inflate: data stream error|index file .* is too small",
    ),
    (
        GitReason.NETWORK,
        r"could not resolve|failed to connect|couldn't connect"
        r"|connection (refused|reset|timed out|closed)|network is unreachable|no route to host"
        r"|timed out|early eof|hung up unexpectedly"
        r"|operation too slow|kex_exchange_identification|rpc failed|recv failure|send failure"
        r"|empty reply|unexpected disconnect|could not read from remote repository|gnutls_handshake"
        r"|ssl_connect|tls connection|broken pipe|unable to access",
    ),
)
