"""Causes in titles of notifications: a phrase for each reason, and the server where it helps."""

from __future__ import annotations

import pytest

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from gitsync.models import Repository
from gitsync.repositories.causes import CAUSES, cause
from kiok.connections.errors import ConnectionReason

HTTPS = "https://git.example.com/team/dags.git"


@pytest.mark.parametrize("reason", [*GitReason, *SyncReason, *ConnectionReason])
def test_every_reason_has_a_short_phrase_without_its_code(reason: str) -> None:
    text = CAUSES[reason]  # type: ignore[index]  # one of the enums
    assert 5 < len(text) <= 50
    assert "_" not in text
    assert not text.endswith(".")


@pytest.mark.parametrize(
    ("url", "reason", "message", "title"),
    [
        (
            HTTPS,
            "network",
            "git ls-remote: the server could not be reached. Git says: fatal: unable to access: Failed to connect to "
            "git.example.com port 443 after 0 ms: Couldn't connect to server",
            "Connection refused (git.example.com:443)",
        ),
        (
            "ssh://git@git.example.com:2222/dags.git",
            "network",
            "ssh: connect to host git.example.com port 2222: Connection refused",
            "Connection refused (git.example.com:2222)",
        ),
        (
            "git@git.example.com:dags.git",
            "network",
            "host 'git.example.com' cannot be resolved: [Errno -2] Name or service not known",
            "The host name cannot be resolved (git.example.com:22)",
        ),
        (HTTPS, "network", "something else", "The server cannot be reached (git.example.com:443)"),
        (
            HTTPS,
            "server_error",
            "git fetch: the server failed. The answer is HTTP 503 (Service Unavailable). Git says: fatal",
            "The server answers HTTP 503 Service Unavailable (git.example.com:443)",
        ),
        ("https://[::1]:8443/x.git", "timeout", "", "The server is too slow ([::1]:8443)"),
        ("no url at all", "timeout", "", "The server is too slow"),
        (HTTPS, "ref_missing", "", "The branch or tag does not exist (main)"),
        (HTTPS, "subpath_missing", "", "The subpath does not exist"),
        (HTTPS, "unknown_to_this_version", "", ""),
    ],
)
def test_a_cause_names_what_failed_and_the_server(url: str, reason: str, message: str, title: str) -> None:
    assert cause(Repository(name="team", url=url, ref="main"), reason, message) == title
