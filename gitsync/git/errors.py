"""Errors between the service and a git server, split by who must act.

KiokError
└── GitError                .reason names the cause
    ├── GitTransientError   no action needed: retried with back-off
    └── GitPersonError      a person must change the configuration, the credential or the repository
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from kiok.errors import KiokError


class FailureReason(StrEnum):
    """The stable name of a cause, as stored and shown, with its meaning and whether a retry may succeed."""

    meaning: str
    transient: bool

    def __new__(cls, value: str, transient: bool = False, meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.transient = transient
        member.meaning = meaning
        return member


class GitReason(FailureReason):
    """The causes of failures between the service and a git server."""

    NETWORK = "network", True, "The server is not reachable, or the connection broke."
    TIMEOUT = "timeout", True, "A git command exceeded its time limit and was stopped."
    SERVER_ERROR = (
        "server_error",
        True,
        "The server answered with a 5xx status (except 501, 505 and 511), or with 408, 425 or 429 (too "
        "many requests).",
    )
    BUSY = "busy", True, "Another process uses the repository's mirror, or another sync of it is running."
    DISK_FULL = "disk_full", True, "No space is left for the mirror, a temporary file or the database."
    MIRROR_BROKEN = "mirror_broken", True, "The mirror lacks objects."
    UNKNOWN = "unknown", True, "Git failed in a way that is not recognized."

    AUTHENTICATION_FAILED = (
        "authentication_failed",
        False,
        "The server requires a credential, or refuses the given one.",
    )
    CREDENTIAL_INVALID = (
        "credential_invalid",
        False,
        "The connection lacks a property, or one is unusable: a damaged private key, a passphrase that "
        "does not belong to the key, a token with a blank.",
    )
    HOST_KEY_UNKNOWN = (
        "host_key_unknown",
        False,
        "The ssh server's key is not in the connection's knownHosts.",
    )
    HOST_KEY_CHANGED = "host_key_changed", False, "The ssh server's key is not the one in knownHosts."
    CERTIFICATE_REFUSED = (
        "certificate_refused",
        False,
        "The https server's certificate could not be verified.",
    )
    URL_INVALID = (
        "url_invalid",
        False,
        "The url is unusable, or is that of a page about a repository "
        "(https://github.com/acme/dags/tree/main/dags).",
    )
    REF_INVALID = (
        "ref_invalid",
        False,
        "The ref is not a well-formed branch, tag, range of versions or commit id.",
    )
    INCLUDE_INVALID = "include_invalid", False, "A line of the include list is not a valid pattern."
    SUBPATH_INVALID = "subpath_invalid", False, "The subpath is not a well-formed relative path."
    PROTOCOL_NOT_ALLOWED = (
        "protocol_not_allowed",
        False,
        "The url's scheme is not allowed by the configuration.",
    )
    HOST_NOT_ALLOWED = (
        "host_not_allowed",
        False,
        "The host has a private, loopback, link-local or other special-purpose address that is not "
        "allowed, or an IPv6 address that carries such an IPv4 address (NAT64, 6to4, Teredo).",
    )
    REDIRECT_REFUSED = "redirect_refused", False, "The server sent a redirect. Redirects are not followed."
    REQUEST_REFUSED = (
        "request_refused",
        False,
        "The server refused the request: 400, 405, 409, 411 to 418, 422, 426, 431 and other 4xx statuses "
        "that have no reason of their own, 501, 505.",
    )
    PROXY_AUTHENTICATION_FAILED = (
        "proxy_authentication_failed",
        False,
        "A proxy requires a credential, or refuses the given one (407); or the machine's network requires"
        " a sign-in (511).",
    )
    PROXY_REFUSED = "proxy_refused", False, "The proxy in https_proxy refuses to connect to the server."
    REPOSITORY_BLOCKED = (
        "repository_blocked",
        False,
        "The server withholds the repository: for legal reasons (451), or until a payment is made (402).",
    )
    REPOSITORY_NOT_FOUND = (
        "repository_not_found",
        False,
        "There is no repository at the url, or this account cannot see it.",
    )
    NOT_GIT = "not_git", False, "The server's answer is not git's protocol."
    WEB_PAGE = (
        "web_page",
        False,
        "The server answered with a web page, such as a sign-in form, instead of git.",
    )
    REPOSITORY_DAMAGED = (
        "repository_damaged",
        False,
        "The server cannot send the commit: its repository lacks objects, or is damaged.",
    )
    REF_MISSING = (
        "ref_missing",
        False,
        "The repository has no such branch, tag or commit, or no tag in the range.",
    )
    COMMIT_NOT_SERVED = (
        "commit_not_served",
        False,
        "The server does not serve a commit by its id, unless a branch or tag points to it.",
    )
    NOT_A_COMMIT = "not_a_commit", False, "The tag or id names an object that is not a commit."
    CONTENT_REFUSED = (
        "content_refused",
        False,
        "The repository contains malformed objects, which git refuses.",
    )
    TREE_TOO_LARGE = "tree_too_large", False, "The commit's tree exceeds a configured limit."
    OUTPUT_TOO_LARGE = "output_too_large", False, "The output of a git command exceeds the limit."
    SIGNATURE_MISSING = (
        "signature_missing",
        False,
        "The commit or tag is not signed, and the repository requires it.",
    )
    SIGNATURE_REFUSED = (
        "signature_refused",
        False,
        "The signature is invalid, or is not by a trusted key that is valid now.",
    )
    SIGNATURE_KEYS_UNUSABLE = (
        "signature_keys_unusable",
        False,
        "The connection with the trusted keys has no key, or a malformed one; or the repository names no "
        "connection.",
    )
    UNSUPPORTED = (
        "unsupported",
        False,
        "The server or the repository requires a feature that is not supported.",
    )
    GIT_MISSING = "git_missing", False, "git, ssh or gpg is not installed on the machine of the service."


class GitError(KiokError):
    """Base class of this package's errors. `str()` of it contains no secret and can be shown to users.

    It is raised as one of its two subclasses. `git_error` chooses the one for the reason.
    """

    presented_host_key: str | None = None  # `<type> <base64>` of the key of an ssh server if it was refused
    # True if the server's repository has another object format (SHA-1 or SHA-256) than the mirror.
    other_object_format: bool = False
    # The output until the command was stopped because it was too large (OUTPUT_TOO_LARGE).
    output: bytes = b""

    def __init__(self, reason: GitReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Return whether the same request may succeed later without any change."""
        return self.reason.transient


class GitTransientError(GitError):
    """A transient error: the same request may succeed later without any change."""


class GitPersonError(GitError):
    """A permanent error: a person must change the configuration, the credential or the repository."""


def git_error(reason: GitReason, message: str) -> GitError:
    """Return the error for a reason, as the subclass that says who must act."""
    return (GitTransientError if reason.transient else GitPersonError)(reason, message)
