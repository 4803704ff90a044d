"""The reasons of git failures, and who must act on them."""

from __future__ import annotations

import pytest

from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError, git_error
from gitsync.git.failure import failure, host_key_fingerprint
from gitsync.git.redaction import Redactor
from gitsync.git.url import parse_url

URL = parse_url("https://git.example/redirect-503-no-space-left-on-device.git")


@pytest.mark.parametrize("reason", GitReason)
@pytest.mark.rule("failure.classified")
def test_reason_has_a_meaning_and_an_error_class(reason: GitReason) -> None:
    assert reason.meaning.endswith(".")
    error = git_error(reason, "message")
    assert isinstance(error, GitTransientError if reason.transient else GitPersonError)
    assert error.transient is reason.transient
    assert GitReason(reason.value) is reason
    assert str(reason) == reason.value


def _failure(stderr: str) -> GitError:
    return failure("git fetch", 128, stderr, url=URL, handover=None, redact=Redactor(["hunter22"]))


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("fatal: write error: No space left on device", GitReason.DISK_FULL),
        ("fatal: fetch-pack: unable to write to file: Disk quota exceeded", GitReason.DISK_FULL),
        (
            "fatal: unable to access 'https://h/': gnutls_handshake() failed: The TLS connection was terminated.",
            GitReason.NETWORK,
        ),
        (
            "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
            GitReason.CERTIFICATE_REFUSED,
        ),
        (
            "fatal: unable to access 'https://h/': The requested URL returned error: 502",
            GitReason.SERVER_ERROR,
        ),
        (
            "error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503",
            GitReason.SERVER_ERROR,
        ),
        ("error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly", GitReason.NETWORK),
        (
            "fatal: unable to access 'x': Operation too slow. Less than 1000 bytes/sec transferred",
            GitReason.NETWORK,
        ),
        (  # cut within the header of the pack
            "Connection to 127.0.0.1 closed by remote host.\n"
            "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: protocol error: bad pack header",
            GitReason.NETWORK,
        ),
        ("fatal: transport 'ext' not allowed", GitReason.PROTOCOL_NOT_ALLOWED),
        (
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
            GitReason.REPOSITORY_NOT_FOUND,
        ),
        ("remote: Repository not found.\nfatal: repository 'x' not found", GitReason.REPOSITORY_NOT_FOUND),
        ("fatal: dumb http transport does not support shallow capabilities", GitReason.UNSUPPORTED),
        ("fatal: mismatched algorithms: client sha1; server sha256", GitReason.UNSUPPORTED),
        ("error: cannot run ssh: No such file or directory\nfatal: unable to fork", GitReason.GIT_MISSING),
        ("fatal: something nobody has seen", GitReason.UNKNOWN),
    ],
)
@pytest.mark.rule("failure.classified")
def test_message_of_git_maps_to_its_reason(stderr: str, reason: GitReason) -> None:
    assert _failure(stderr).reason is reason


def test_repository_name_does_not_change_the_reason() -> None:
    stderr = f"fatal: unable to access '{URL.fetch_url}/': The requested URL returned error: 404"
    assert _failure(stderr).reason is GitReason.REPOSITORY_NOT_FOUND


def test_text_of_a_server_does_not_change_the_reason() -> None:
    stderr = "remote: No space left on device\nfatal: Authentication failed for 'https://git.example/'"
    assert _failure(stderr).reason is GitReason.AUTHENTICATION_FAILED


@pytest.mark.rule("running.redaction")
def test_message_quotes_git_on_one_line_without_secrets() -> None:
    message = str(_failure("remote: \x1b[31mhi hunter22\r\nfatal: odd\n\nhint: dull\n"))
    assert message == "git fetch failed. Git says: remote:  [31mhi [redacted]; fatal: odd"


def test_fingerprint_is_that_of_ssh_keygen() -> None:
    # GitHub's published ed25519 key and fingerprint.
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert host_key_fingerprint(key) == "ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
