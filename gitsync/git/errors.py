"""What can go wrong between here and a git server, split by who must act.

KiokError
└── GitError                .reason says what it was
    ├── GitTransientError   nobody: it is tried again, with back-off
    └── GitPersonError      a person: it stays until configuration, credential or repository change
"""

from __future__ import annotations

from enum import StrEnum

from kiok.errors import KiokError


class GitReason(StrEnum):
    """A stable name for each way to fail, with its meaning and whether trying again may help."""

    meaning: str
    transient: bool

    def __new__(cls, value: str, transient: bool, meaning: str) -> GitReason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.transient = transient
        member.meaning = meaning
        return member

    NETWORK = "network", True, "The server could not be reached, or the connection broke."
    TIMEOUT = "timeout", True, "A git command ran into its time limit and was stopped."
    SERVER_ERROR = (
        "server_error",
        True,
        "The server answered with a 5xx status, 408, 425 or 429 (too many requests).",
    )
    BUSY = "busy", True, "Another process is using the mirror of this repository."
    DISK_FULL = "disk_full", True, "There is no space left for the mirror, a temporary file or the database."
    MIRROR_BROKEN = "mirror_broken", True, "The mirror misses objects; the next fetch makes a new one."
    UNKNOWN = "unknown", True, "Git failed in a way that is not recognised; the message quotes it."

    AUTHENTICATION_FAILED = (
        "authentication_failed",
        False,
        "The server wants a credential, or refuses the one it was given.",
    )
    CREDENTIAL_INVALID = (
        "credential_invalid",
        False,
        "The connection lacks a property, or one cannot be used.",
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
    URL_INVALID = "url_invalid", False, "The repository's url is not one that can be used."
    REF_INVALID = (
        "ref_invalid",
        False,
        "The ref is no well-formed branch, tag, range of versions or commit id.",
    )
    INCLUDE_INVALID = "include_invalid", False, "A line of the include list is no pattern."
    SUBPATH_INVALID = "subpath_invalid", False, "The subpath is not a well-formed relative path."
    PROTOCOL_NOT_ALLOWED = "protocol_not_allowed", False, "The url's scheme is not allowed by configuration."
    HOST_NOT_ALLOWED = (
        "host_not_allowed",
        False,
        "The host has a private or other special-purpose address that is not allowed.",
    )
    REDIRECT_REFUSED = "redirect_refused", False, "The server sent a redirect; redirects are not followed."
    REQUEST_REFUSED = (
        "request_refused",
        False,
        "The server refused the request (such as 400, 405 or 422): the url may not be a git repository's.",
    )
    PROXY_AUTHENTICATION_FAILED = (
        "proxy_authentication_failed",
        False,
        "A proxy wants a credential, or refuses the one it was given.",
    )
    PROXY_REFUSED = "proxy_refused", False, "The proxy refuses to connect to the server."
    REPOSITORY_BLOCKED = (
        "repository_blocked",
        False,
        "The server withholds the repository, for legal reasons or until somebody pays.",
    )
    REPOSITORY_NOT_FOUND = "repository_not_found", False, "There is no repository at the url, or none to see."
    NOT_GIT = "not_git", False, "What the server answers is not git's protocol."
    WEB_PAGE = (
        "web_page",
        False,
        "The server answered with a web page, such as a sign-in form, instead of git.",
    )
    REPOSITORY_DAMAGED = (
        "repository_damaged",
        False,
        "The server cannot send the commit: its repository misses objects or is damaged.",
    )
    REF_MISSING = (
        "ref_missing",
        False,
        "The repository has no such branch, tag or commit, or no tag in the range.",
    )
    COMMIT_NOT_SERVED = (
        "commit_not_served",
        False,
        "The server hands out no commit by its id, unless a branch or tag points to it.",
    )
    NOT_A_COMMIT = "not_a_commit", False, "The tag or id names something that is not a commit."
    CONTENT_REFUSED = "content_refused", False, "The repository holds malformed objects, which git refuses."
    TREE_TOO_LARGE = "tree_too_large", False, "The commit's tree passes a configured limit."
    OUTPUT_TOO_LARGE = "output_too_large", False, "A git command printed more than its limit."
    SIGNATURE_MISSING = "signature_missing", False, "The commit or tag is not signed, and has to be."
    SIGNATURE_REFUSED = (
        "signature_refused",
        False,
        "The signature is not a good one of a trusted key that is valid.",
    )
    SIGNATURE_KEYS_UNUSABLE = (
        "signature_keys_unusable",
        False,
        "The connection holds no key signatures could be verified with, or a malformed one.",
    )
    UNSUPPORTED = "unsupported", False, "The server or repository uses a form that is not supported."
    GIT_MISSING = "git_missing", False, "The git, ssh or gpg program is not installed where the service runs."


class GitError(KiokError):
    """Base of this package's errors. `str()` of it holds no secret and can be shown to users.

    Raised as one of its two subclasses; `git_error` picks the one that fits the reason.
    """

    presented_host_key: str | None = None
    """`<type> <base64>` of the key an ssh server presented, where it is that key which was refused."""

    other_object_format: bool = False
    """Whether the server's repository is in git's other object format (SHA-1, SHA-256) than the mirror."""
    output: bytes = b""
    """What the command had printed, where it was stopped because that was too much (OUTPUT_TOO_LARGE)."""

    def __init__(self, reason: GitReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.reason.transient


class GitTransientError(GitError):
    """Nobody needs to act: the same request may succeed later."""


class GitPersonError(GitError):
    """Somebody has to change the configuration, the credential or the repository."""


def git_error(reason: GitReason, message: str) -> GitError:
    """The error for a reason, of the subclass that says who must act."""
    return (GitTransientError if reason.transient else GitPersonError)(reason, message)
