"""Short causes for titles of notifications and for the overview: one phrase for each reason that a repository can have.

docs/reference/reasons.md has the reasons, and `gitsync.remedies` what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from gitsync.errors import SyncReason
from gitsync.git.errors import GitError, GitReason
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository
from kiok.connections.errors import ConnectionReason

CAUSES: Mapping[StrEnum, str] = {
    GitReason.NETWORK: "The server cannot be reached",
    GitReason.TIMEOUT: "The server is too slow",
    GitReason.SERVER_ERROR: "The server failed",
    GitReason.BUSY: "Another process uses the mirror",
    GitReason.DISK_FULL: "No space is left on the disk",
    GitReason.MIRROR_BROKEN: "The mirror is damaged",
    GitReason.UNKNOWN: "git failed",
    GitReason.AUTHENTICATION_FAILED: "The server rejects the credential",
    GitReason.CREDENTIAL_INVALID: "The credential is not valid",
    GitReason.HOST_KEY_UNKNOWN: "The server's host key is unknown",
    GitReason.HOST_KEY_CHANGED: "The server's host key has changed",
    GitReason.CERTIFICATE_REFUSED: "The server's certificate cannot be verified",
    GitReason.URL_INVALID: "The URL is not valid",
    GitReason.REF_INVALID: "The branch or tag is not valid",
    GitReason.INCLUDE_INVALID: "The include list is not valid",
    GitReason.SUBPATH_INVALID: "The subpath is not valid",
    GitReason.PROTOCOL_NOT_ALLOWED: "The URL's protocol is not allowed",
    GitReason.HOST_NOT_ALLOWED: "The server's address is not allowed",
    GitReason.REDIRECT_REFUSED: "The server answers with a redirect",
    GitReason.REQUEST_REFUSED: "The server refuses the request",
    GitReason.PROXY_AUTHENTICATION_FAILED: "The proxy requires a credential",
    GitReason.PROXY_REFUSED: "The proxy refuses the connection",
    GitReason.REPOSITORY_BLOCKED: "The server blocks the repository",
    GitReason.REPOSITORY_NOT_FOUND: "The server has no such repository",
    GitReason.NOT_GIT: "The server's answer is not git",
    GitReason.WEB_PAGE: "The server answers with a web page",
    GitReason.REPOSITORY_DAMAGED: "The repository on the server is damaged",
    GitReason.REF_MISSING: "The branch or tag does not exist",
    GitReason.COMMIT_NOT_SERVED: "The server does not serve the commit",
    GitReason.NOT_A_COMMIT: "The tag does not point to a commit",
    GitReason.CONTENT_REFUSED: "The repository has malformed objects",
    GitReason.TREE_TOO_LARGE: "The commit is too large",
    GitReason.OUTPUT_TOO_LARGE: "The repository lists too much",
    GitReason.SIGNATURE_MISSING: "The signature is missing",
    GitReason.SIGNATURE_REFUSED: "The signature is not trusted",
    GitReason.SIGNATURE_KEYS_UNUSABLE: "The trusted keys cannot be used",
    GitReason.UNSUPPORTED: "The server or the repository is not supported",
    GitReason.GIT_MISSING: "A program of git is not installed",
    SyncReason.FILES_FAILED: "Files fail to compile",
    SyncReason.SANDBOX_UNAVAILABLE: "The container engine is not available",
    SyncReason.IMAGE_MISSING: "A sandbox image is missing",
    SyncReason.IMAGE_MISMATCH: "A sandbox image does not fit the service",
    SyncReason.COMPILE_FAILED: "The commit cannot be compiled",
    SyncReason.SUBPATH_MISSING: "The subpath does not exist",
    SyncReason.SUBPATH_NOT_A_FOLDER: "The subpath is not a folder",
    SyncReason.SUBPATH_MOVED: "The subpath was moved",
    SyncReason.TOO_MANY_DAGS: "The repository has too many DAGs",
    SyncReason.WOULD_EMPTY: "The commit would remove every DAG",
    SyncReason.CREDENTIAL: "The connection cannot be used",
    SyncReason.DECLARATION_INVALID: "The declaration is not valid",
    SyncReason.DISABLED: "The repository is disabled",
    SyncReason.PAUSED: "The repository is paused",
    SyncReason.LEASE_LOST: "Another worker took over",
    SyncReason.WORKER_DIED: "The worker dies during the sync",
    SyncReason.CONFIGURATION_CHANGED: "The repository was edited during the sync",
    SyncReason.INTERNAL: "The service failed",
    ConnectionReason.MASTER_KEY_MISSING: "The master key is missing",
    ConnectionReason.MASTER_KEY_TOO_SHORT: "The master key is too short",
    ConnectionReason.MASTER_KEY_WRONG: "The master key is wrong",
    ConnectionReason.MASTER_KEY_UNCHANGED: "The new master key is the current one",
    ConnectionReason.TAMPERED: "A stored secret was altered",
    ConnectionReason.INVALID_PROPERTY: "A property of the connection is not valid",
    ConnectionReason.MALFORMED_REFERENCE: "A reference to a connection is malformed",
}
_BY_NAME = {reason.value: text for reason, text in CAUSES.items()}

# Reasons whose title names the server.
_OF_SERVER = frozenset(
    {
        *(GitReason.NETWORK, GitReason.TIMEOUT, GitReason.SERVER_ERROR, GitReason.AUTHENTICATION_FAILED),
        *(GitReason.HOST_KEY_UNKNOWN, GitReason.HOST_KEY_CHANGED, GitReason.CERTIFICATE_REFUSED),
    }
)
# The operating system's words in the messages of git, ssh and curl, and those of the title.
_NETWORK_SIGNS = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (
            r"could not resolve|cannot be resolved|name or service not known",
            "The host name cannot be resolved",
        ),
        (r"connection refused|couldn't connect to server", "Connection refused"),
        (r"connection reset", "Connection reset"),
        (r"no route to host", "No route to host"),
        (r"network is unreachable", "Network is unreachable"),
        (r"timed out|operation too slow", "Connection timed out"),
    )
)
_HTTP_STATUS = re.compile(r"\b(HTTP \d{3})(?: \(([A-Za-z' -]{1,40})\))?")


def cause(repository: Repository, reason: str, message: str) -> str:
    """Return why the repository fails, such as `Connection refused (git.example.com:443)`; "" for an unknown reason."""
    text = _BY_NAME.get(reason, "")
    if reason == GitReason.NETWORK:
        text = next((words for sign, words in _NETWORK_SIGNS if sign.search(message)), text)
    elif reason == GitReason.SERVER_ERROR and (status := _HTTP_STATUS.search(message)):
        text = f"The server answers {' '.join(filter(None, status.groups()))}"
    elif reason == GitReason.REF_MISSING:
        return f"{text} ({repository.ref})"
    server = _server(repository) if reason in _OF_SERVER else ""
    return f"{text} ({server})" if server else text


def _server(repository: Repository) -> str:
    """Return host and port of the repository's server; "" if it has none."""
    try:
        url = parse_url(repository.url, allow_protocols=ANY_PROTOCOL)
    except GitError:
        return ""
    return f"{url.authority_without_port}:{url.port_or_default}" if url.host else ""
