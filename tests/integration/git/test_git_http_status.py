"""Each HTTP status of a real https server, and of a real proxy, has its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.https import HttpsServer
from tests.support.servers.receiver import ForwardProxy
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")

# The statuses and all others that are in use; GitReason decides whether a reason is transient.
REASONS = {
    GitReason.REDIRECT_REFUSED: (300, 301, 302, 303, 305, 306, 307, 308),
    GitReason.AUTHENTICATION_FAILED: (401, 403),
    GitReason.REPOSITORY_BLOCKED: (402, 451),
    GitReason.REPOSITORY_NOT_FOUND: (404, 410),
    GitReason.PROXY_AUTHENTICATION_FAILED: (407, 511),
    GitReason.REQUEST_REFUSED: (
        *(
            304,
            400,
            405,
            406,
            409,
            411,
            412,
            413,
            414,
            415,
            416,
            417,
            418,
            421,
            422,
            423,
            424,
            426,
            428,
            431,
            444,
        ),
        *(497, 498, 499, 501, 505, 999),
    ),
    GitReason.UNSUPPORTED: (495, 496),
    GitReason.SERVER_ERROR: (
        *(408, 425, 429, 500, 502, 503, 504, 506, 507, 508, 509, 510),
        *(520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 599),
    ),
}
TABLE = [(status, reason) for reason, statuses in REASONS.items() for status in statuses]


@pytest.fixture
def settings(tmp_path: Path, https_server: HttpsServer) -> GitSettings:
    return GitSettings(
        home=tmp_path / "home",
        allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
        ssl_ca_info=str(https_server.ca_file),
        kill_after_seconds=1.0,
    )


@pytest.fixture
def mirror(tmp_path: Path, settings: GitSettings) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "1", GitClient(settings))


@pytest.fixture
def url(https_server: HttpsServer, work_repo: WorkRepo) -> RemoteUrl:
    work_repo.publish({"a.yaml": "dag: {id: a}\n"})
    return parse_url(https_server.url("dags.git"))


def _failing(mirror: Mirror, url: RemoteUrl) -> GitError:
    with pytest.raises(GitError) as caught:
        mirror.probe(url, MAIN, None)
    return caught.value


@pytest.mark.rule("failure.classified")
def test_every_http_status_has_its_reason(https_server: HttpsServer, mirror: Mirror, url: RemoteUrl) -> None:
    found = {}
    for status, _ in TABLE:
        https_server.status = status
        error = _failing(mirror, url)
        found[status] = error.reason
        # Where git itself names no status it says what the status means.
        assert f"HTTP {status}" in str(error) or status in (401, 404), str(error)
    assert found == dict(TABLE)


def test_statuses_that_may_pass_by_themselves_are_transient_and_no_others() -> None:
    transient = {status for status, reason in TABLE if reason.transient}
    assert transient == set(REASONS[GitReason.SERVER_ERROR])


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, GitReason.REQUEST_REFUSED),
        (403, GitReason.AUTHENTICATION_FAILED),
        (408, GitReason.SERVER_ERROR),
        (411, GitReason.REQUEST_REFUSED),
        (413, GitReason.REQUEST_REFUSED),
        (451, GitReason.REPOSITORY_BLOCKED),
        (501, GitReason.REQUEST_REFUSED),
        (503, GitReason.SERVER_ERROR),
    ],
)
@pytest.mark.rule("failure.classified")
def test_a_status_in_answer_to_a_post_has_the_same_reason(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, status: int, reason: GitReason
) -> None:
    https_server.status_of_posts = status
    error = _failing(mirror, url)
    assert (error.reason, f"HTTP {status}" in str(error)) == (reason, True), str(error)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (405, "HTTP 405 (Method Not Allowed)"),
        (422, "Check that the url is that of a git repository"),
        (413, "has a limit for requests (the size of the body)"),
        (451, "for legal reasons"),
        (407, "https_proxy"),
        (521, "Origin Is Down"),
    ],
)
def test_the_message_names_the_status_and_its_likely_cause(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, status: int, message: str
) -> None:
    https_server.status = status
    assert message in str(_failing(mirror, url))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (407, GitReason.PROXY_AUTHENTICATION_FAILED),
        (403, GitReason.PROXY_REFUSED),
        (405, GitReason.PROXY_REFUSED),
        (502, GitReason.NETWORK),
        (503, GitReason.NETWORK),
    ],
)
@pytest.mark.rule("failure.classified")
def test_a_proxy_that_refuses_to_connect_has_its_own_reason(
    monkeypatch: pytest.MonkeyPatch,
    https_server: HttpsServer,
    mirror: Mirror,
    url: RemoteUrl,
    status: int,
    reason: GitReason,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ForwardProxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        commit = mirror.probe(url, MAIN, None)
        proxy.status = status
        requested = len(https_server.requests)
        error = _failing(mirror, url)
        assert (error.reason, f"HTTP {status}" in str(error)) == (reason, True), str(error)
        assert "secret" not in str(error)
        assert len(https_server.requests) == requested
        proxy.status = None
        assert mirror.probe(url, MAIN, None) == commit


def test_the_status_in_a_repositorys_name_is_none(https_server: HttpsServer, mirror: Mirror) -> None:
    error = _failing(mirror, parse_url(https_server.url("returned-error:-503/none.git")))
    assert error.reason is GitReason.REPOSITORY_NOT_FOUND
