"""What git's exit status and stderr mean: from its words to a reason a person can act on."""

from __future__ import annotations

import base64
import hashlib
import re

from gitsync.git.credentials import Handover, known_hosts_name
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.redaction import Redactor
from gitsync.git.url import RemoteUrl

_MAX_QUOTED = 1500

# First match wins. The texts are those of git 2.39 to 2.47, OpenSSH 9 and libcurl with OpenSSL or GnuTLS,
# with LC_ALL=C. Lines beginning with `remote:` are written by the server and are not looked at.
_SIGNS: tuple[tuple[GitReason, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for reason, pattern in (
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
        (
            GitReason.REDIRECT_REFUSED,
            r"returned error: 30[12378]|base from redirection|http code = 30[12378]",
        ),
        (
            GitReason.SERVER_ERROR,
            r"returned error: (5\d\d|429)|http code = (5\d\d|429)|http (5\d\d|429) curl",
        ),
        (
            GitReason.AUTHENTICATION_FAILED,
            r"^fatal: authentication failed for|could not read (username|password)|terminal prompts disabled"
            r"|returned error: 40[13]|permission denied \(|too many authentication failures"
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
            r"|does not appear to be a git repository|repository not found|returned error: (404|410)"
            r"|no such project"
            r"|project you were looking for could not be found|access denied or repository not exported",
        ),
        # In the midst of a pack: whatever the torn rest of it looks like to git, the server spoke git until then.
        (GitReason.NETWORK, r"unexpected disconnect while reading sideband packet"),
        (
            # A page for people instead of a repository, a proxy's answer, a login shell that greets.
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
        # No accident of the way: https and ssh notice those.
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
)

_MESSAGES = {
    GitReason.AUTHENTICATION_FAILED: "{what}: the server refused the credential, or wants one. "
    "Check the connection's properties (for ssh: privateKey, passphrase, login) and that the account may read it",
    GitReason.REDIRECT_REFUSED: "{what}: the server answers with a redirect, which is not followed because "
    "it could carry the credential elsewhere. Configure the final url",
    GitReason.REPOSITORY_NOT_FOUND: "{what}: the server has no such repository, or hides it from the account",
    GitReason.NOT_GIT: "{what}: what the server answers is not git. Is the url that of the repository itself, "
    "not of a page about it? Over ssh, the account's login files must print nothing",
    GitReason.SERVER_ERROR: "{what}: the server failed",
    GitReason.NETWORK: "{what}: the server could not be reached or the connection broke",
    GitReason.CERTIFICATE_REFUSED: "{what}: the server's certificate could not be verified. "
    "For a private authority, configure its certificate file",
    GitReason.CONTENT_REFUSED: "{what}: the repository holds objects that are malformed or unsafe",
    GitReason.DISK_FULL: "{what}: there is no space left on the disk",
    GitReason.MIRROR_BROKEN: "{what}: the mirror is damaged",
    GitReason.TREE_TOO_LARGE: "{what}: the server sends a pack that is larger than allowed",
    GitReason.OUTPUT_TOO_LARGE: "{what}: the server sends more than git can hold in the memory it is allowed",
}


def failure(
    what: str, status: int, stderr: str, *, url: RemoteUrl | None, handover: Handover | None, redact: Redactor
) -> GitError:
    """The error for a git command that ended with a status other than 0.

    `what` says what was tried and with which url, without secrets.
    """
    if handover is not None and handover.host_key_note is not None:
        # ssh names the key's file, in a directory that is gone by now and new each time.
        stderr = stderr.replace(f"{handover.host_key_note.parent}/", "")
    reason = _reason(stderr, status, url)
    if reason in (GitReason.HOST_KEY_UNKNOWN, GitReason.HOST_KEY_CHANGED) and url is not None:
        error = git_error(reason, _host_key_message(what, reason, url, handover))
        error.presented_host_key = handover.presented_host_key() if handover is not None else None
        return error
    message = _MESSAGES.get(reason, "{what} failed").format(what=what)
    # Before it is cut and tidied, when secrets are still whole; and after, for what only then looks like one.
    quoted = redact(_quote(redact(stderr)))
    return git_error(reason, f"{message}. Git says: {quoted}" if quoted else f"{message} (status {status})")


def _reason(stderr: str, status: int, url: RemoteUrl | None) -> GitReason:
    if status == 127 or "cannot run ssh" in stderr or "ssh: not found" in stderr:
        return GitReason.GIT_MISSING
    own = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    if url is not None:  # a repository may be called anything
        own = own.replace(url.fetch_url, "URL").replace(url.path, "/PATH")
    for reason, pattern in _SIGNS:
        if pattern.search(own):
            return reason
    return GitReason.NETWORK if url is not None and status == 255 else GitReason.UNKNOWN


def _host_key_message(what: str, reason: GitReason, url: RemoteUrl, handover: Handover | None) -> str:
    presented = handover.presented_host_key() if handover is not None else None
    name = known_hosts_name(url)
    seen = (
        f"The server presented {host_key_fingerprint(presented)}" if presented else "It presented another key"
    )
    line = f"'{name} {presented}'" if presented else f"the server's line (ssh-keyscan {url.host} prints it)"
    if reason is GitReason.HOST_KEY_UNKNOWN:
        return (
            f"{what}: the host key of {name} is not in the connection's knownHosts. {seen}. Compare it with "
            f"what the server's operator publishes; to accept it, add this line to the property "
            f"knownHosts: {line}"
        )
    return (
        f"{what}: the host key of {name} is not the one in the connection's knownHosts: somebody may be "
        f"listening in, or the server has a new key. {seen}. If its operator confirms the new key, replace "
        f"the line of {name} in the property knownHosts by: {line}"
    )


def host_key_fingerprint(key: str) -> str:
    """`<type> SHA256:...` of a public key line `<type> <base64>`, as `ssh-keygen -l` prints it."""
    kind, _, blob = key.partition(" ")
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _quote(stderr: str) -> str:
    """The lines that say something, on one line, without control characters."""
    lines = [
        "".join(character if character.isprintable() else " " for character in line).strip()
        for line in re.split(r"[\r\n]+", stderr)
    ]
    dull = ("Please make sure you have the correct access rights", "and the repository exists.", "hint:")
    text = "; ".join(line for line in lines if line and not line.startswith(dull))
    return text if len(text) <= _MAX_QUOTED else "... " + text[-_MAX_QUOTED:]
