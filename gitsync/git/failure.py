"""Classification of git failures: from the exit status and stderr to a reason and a message with a remedy."""

from __future__ import annotations

import base64
import hashlib
import re

from gitsync.git.credentials import Handover, known_hosts_name
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.http_status import named, reason_of, reason_of_tunnel, status_in, tunnel_status_in
from gitsync.git.redaction import Redactor
from gitsync.git.signs import DAMAGED_REPOSITORY, LOCAL_SIGNS, OTHER_OBJECT_FORMAT, OTHER_SIGNS, reason_by
from gitsync.git.url import RemoteUrl
from kiok.text import printable

_MAX_QUOTED = 1500

_MESSAGES = {
    GitReason.AUTHENTICATION_FAILED: "{what}: the server rejected the credential, or requires one. "
    "Check the connection's properties (for ssh: privateKey, passphrase, login) and that the account can read the "
    "repository",
    GitReason.REDIRECT_REFUSED: "{what}: the server answers with a redirect. Redirects are not followed, because "
    "they could send the credential to another server. Configure the final url",
    GitReason.REPOSITORY_NOT_FOUND: "{what}: the server has no such repository, or hides it from the account",
    GitReason.NOT_GIT: "{what}: the server's answer is not git. Check that the url is that of the repository itself, "
    "not of a web page about it. Over ssh, the account's login scripts must print nothing",
    GitReason.SERVER_ERROR: "{what}: the server failed",
    GitReason.REQUEST_REFUSED: "{what}: the server refused the request. Check that the url is that of a git repository",
    GitReason.PROXY_AUTHENTICATION_FAILED: "{what}: a proxy requires a user name and a password, or rejects the "
    "configured ones. Set them in https_proxy in the service's environment: http://user:password@host:port, "
    "percent-encoded",
    GitReason.PROXY_REFUSED: "{what}: the proxy in https_proxy of the service's environment does not connect to this "
    "server. Ask the proxy's operator to allow it, or add the host to no_proxy",
    GitReason.REPOSITORY_BLOCKED: "{what}: the server blocks the repository",
    GitReason.REPOSITORY_DAMAGED: "{what}: the server cannot send the commit, because objects of it are missing or "
    "damaged on the server. Ask the server's operator to run git fsck, or push the branch again from a full clone",
    GitReason.CREDENTIAL_INVALID: "{what}: ssh cannot read the connection's privateKey: it is damaged, or the "
    "passphrase is wrong",
    GitReason.NETWORK: "{what}: the server could not be reached, or the connection broke",
    GitReason.CERTIFICATE_REFUSED: "{what}: the server's certificate could not be verified. "
    "For a private certificate authority, configure its certificate file",
    GitReason.CONTENT_REFUSED: "{what}: the repository contains malformed or unsafe objects",
    GitReason.DISK_FULL: "{what}: there is no space left on the disk",
    GitReason.MIRROR_BROKEN: "{what}: the mirror is damaged",
    GitReason.TREE_TOO_LARGE: "{what}: the server sends a pack that is larger than allowed",
    GitReason.OUTPUT_TOO_LARGE: "{what}: the server sends more than git can process within its memory limit",
}


def failure(
    what: str, status: int, stderr: str, *, url: RemoteUrl | None, handover: Handover | None, redact: Redactor
) -> GitError:
    """Return the error for a git command that ended with a status other than 0.

    `what` names the command and the url, without secrets.
    """
    if handover is not None and handover.host_key_note is not None:
        # ssh names the key's file, whose directory is different for each call.
        stderr = stderr.replace(f"{handover.host_key_note.parent}/", "")
    reason, answer = _reason(stderr, status, url)
    if reason in (GitReason.HOST_KEY_UNKNOWN, GitReason.HOST_KEY_CHANGED) and url is not None:
        error = git_error(reason, _host_key_message(what, reason, url, handover))
        error.presented_host_key = handover.presented_host_key() if handover is not None else None
        return error
    message = _MESSAGES.get(reason, "{what} failed").format(what=what)
    if answer is not None:
        message += f". The answer is {named(answer)}"
    # Redact before the text is cut and cleaned, while secrets are complete, and again after that.
    quoted = redact(_quote(redact(stderr)))
    error = git_error(reason, f"{message}. Git says: {quoted}" if quoted else f"{message} (status {status})")
    error.other_object_format = reason is GitReason.UNSUPPORTED and bool(OTHER_OBJECT_FORMAT.search(stderr))
    return error


def _reason(stderr: str, status: int, url: RemoteUrl | None) -> tuple[GitReason, int | None]:
    """Return the reason, and the HTTP status if that decided it."""
    if status == 127 or "cannot run ssh" in stderr or "ssh: not found" in stderr:
        return GitReason.GIT_MISSING, None
    # Lines beginning with `remote:` are written by the server.
    own = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    if url is not None:  # the path could contain any of the texts that are searched
        own = own.replace(url.fetch_url, "URL").replace(url.path, "/PATH")
    if (reason := reason_by(LOCAL_SIGNS, own)) is not None:
        return reason, None
    if url is not None and url.scheme in ("http", "https"):
        if (answer := tunnel_status_in(own)) is not None:
            return reason_of_tunnel(answer), answer
        if (answer := status_in(own)) is not None:
            return reason_of(answer), answer
    if url is not None and DAMAGED_REPOSITORY.search(stderr):
        return GitReason.REPOSITORY_DAMAGED, None
    if (reason := reason_by(OTHER_SIGNS, own)) is not None:
        return reason, None
    return (GitReason.NETWORK if url is not None and status == 255 else GitReason.UNKNOWN), None


def _host_key_message(what: str, reason: GitReason, url: RemoteUrl, handover: Handover | None) -> str:
    presented = handover.presented_host_key() if handover is not None else None
    name = known_hosts_name(url)
    seen = (
        f"The server presented {host_key_fingerprint(presented)}"
        if presented
        else "The server presented another key"
    )
    line = f"'{name} {presented}'" if presented else f"the server's line (ssh-keyscan {url.host} prints it)"
    if reason is GitReason.HOST_KEY_UNKNOWN:
        return (
            f"{what}: the host key of {name} is not in the connection's knownHosts. {seen}. Compare it with "
            f"the key that the server's operator publishes. To accept it, add this line to the property "
            f"knownHosts: {line}"
        )
    return (
        f"{what}: the host key of {name} is not the one in the connection's knownHosts: the connection may be "
        f"intercepted, or the server has a new key. {seen}. If its operator confirms the new key, replace "
        f"the line of {name} in the property knownHosts with: {line}"
    )


def host_key_fingerprint(key: str) -> str:
    """Return the fingerprint `<type> SHA256:...` of a public key `<type> <base64>`, as `ssh-keygen -l` prints it."""
    kind, _, blob = key.partition(" ")
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _quote(stderr: str) -> str:
    """Return the relevant lines of stderr, joined and without control characters."""
    lines = [printable(line).strip() for line in re.split(r"[\r\n]+", stderr)]
    dull = ("Please make sure you have the correct access rights", "and the repository exists.", "hint:")
    text = "; ".join(line for line in lines if line and not line.startswith(dull))
    return text if len(text) <= _MAX_QUOTED else "... " + text[-_MAX_QUOTED:]
