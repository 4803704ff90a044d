"""Urls of pages on git services, entered instead of a repository's url."""

from __future__ import annotations

import pytest

from gitsync.git.errors import GitError, GitReason
from gitsync.git.page_url import Page, page_of
from gitsync.git.url import parse_url

SHA = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"
GITHUB = "https://github.com/acme/dags.git"
GITLAB = "https://gitlab.example.com/team/sub/dags.git"
GITEA = "https://codeberg.org/acme/dags.git"
CLOUD = "https://bitbucket.org/acme/dags.git"


@pytest.mark.parametrize(
    ("text", "url", "ref", "subpath"),
    [
        # GitHub
        ("https://github.com/acme/dags/tree/main/dags", GITHUB, "main", "dags"),
        ("https://github.com/acme/dags/tree/main", GITHUB, "main", ""),
        ("https://github.com/acme/dags/tree/main/", GITHUB, "main", ""),
        ("https://github.com/acme/dags.git/tree/main/dags/eu", GITHUB, "main", "dags/eu"),
        ("https://github.com/acme/dags/tree/refs/heads/main/dags", GITHUB, "main", "dags"),
        ("https://github.com/acme/dags/tree/refs/tags/v1/dags", GITHUB, "tag:v1", "dags"),
        ("https://github.com/acme/dags/blob/main/dags/a.yaml", GITHUB, "main", "dags"),
        ("https://github.com/acme/dags/blob/main/a.yaml#L10", GITHUB, "main", ""),
        ("https://github.com/acme/dags/blob/main/my%20dags/a.yaml?plain=1", GITHUB, "main", "my dags"),
        (f"https://github.com/acme/dags/tree/{SHA}/dags", GITHUB, f"commit:{SHA}", "dags"),
        (f"https://github.com/acme/dags/commit/{SHA}", GITHUB, f"commit:{SHA}", ""),
        ("https://github.com/acme/dags/commit/59b20b8", GITHUB, "", ""),
        ("https://github.com/acme/dags/commits/main/dags", GITHUB, "main", "dags"),
        ("https://github.com/acme/dags/releases/tag/v1.2.3", GITHUB, "tag:v1.2.3", ""),
        ("https://github.com/acme/dags/releases/download/v1/dags.jar", GITHUB, "tag:v1", ""),
        ("https://github.com/acme/dags/releases/latest", GITHUB, "", ""),
        ("https://github.com/acme/dags/releases", GITHUB, "", ""),
        ("https://github.com/acme/dags/tags", GITHUB, "", ""),
        ("https://github.com/acme/dags/pull/12/files", GITHUB, "", ""),
        ("https://github.com/acme/dags/archive/refs/heads/main.zip", GITHUB, "main", ""),
        ("https://github.com/acme/dags/archive/refs/tags/v1.tar.gz", GITHUB, "tag:v1", ""),
        ("https://github.com/acme/dags/tree/HEAD/dags", GITHUB, "", "dags"),
        ("https://raw.githubusercontent.com/acme/dags/main/dags/a.yaml", GITHUB, "main", "dags"),
        ("https://raw.githubusercontent.com/acme/dags/refs/heads/main/a.yaml", GITHUB, "main", ""),
        ("https://github.acme.com/o/r/wiki", "https://github.acme.com/o/r.git", "", ""),
        ("https://git.acme.com:8443/o/r/tree/main/d", "https://git.acme.com:8443/o/r.git", "main", "d"),
        # sourcehut
        ("https://git.sr.ht/~ada/dags/tree/main/item/dags", "https://git.sr.ht/~ada/dags", "main", "dags"),
        # GitLab
        ("https://gitlab.example.com/team/sub/dags/-/tree/main/dags?ref_type=heads", GITLAB, "main", "dags"),
        ("https://gitlab.example.com/team/sub/dags/-/tree/v1/dags?ref_type=tags", GITLAB, "tag:v1", "dags"),
        ("https://gitlab.example.com/team/sub/dags/-/blob/main/dags/a.py#L3", GITLAB, "main", "dags"),
        ("https://gitlab.example.com/team/sub/dags/-/raw/main/dags/a.py", GITLAB, "main", "dags"),
        (f"https://gitlab.example.com/team/sub/dags/-/commit/{SHA}", GITLAB, f"commit:{SHA}", ""),
        ("https://gitlab.example.com/team/sub/dags/-/tags/v1", GITLAB, "tag:v1", ""),
        ("https://gitlab.example.com/team/sub/dags/-/releases/v1", GITLAB, "tag:v1", ""),
        ("https://gitlab.example.com/team/sub/dags/-/merge_requests/3", GITLAB, "", ""),
        # Gitea, Forgejo
        ("https://codeberg.org/acme/dags/src/branch/main/dags", GITEA, "main", "dags"),
        ("https://codeberg.org/acme/dags/src/branch/main/dags/a.yaml", GITEA, "main", "dags"),
        ("https://codeberg.org/acme/dags/src/tag/v1/dags", GITEA, "tag:v1", "dags"),
        (f"https://codeberg.org/acme/dags/src/commit/{SHA}/dags", GITEA, f"commit:{SHA}", "dags"),
        ("https://codeberg.org/acme/dags/raw/branch/main/dags/a.yaml", GITEA, "main", "dags"),
        # Bitbucket
        ("https://bitbucket.org/acme/dags/src/main/dags/", CLOUD, "main", "dags"),
        ("https://bitbucket.org/acme/dags/src/main/dags/a.yaml", CLOUD, "main", "dags"),
        ("https://bitbucket.org/acme/dags/branch/feature/x", CLOUD, "feature/x", ""),
        (f"https://bitbucket.org/acme/dags/commits/{SHA}", CLOUD, f"commit:{SHA}", ""),
        ("https://bitbucket.org/acme/dags/src", CLOUD, "", ""),
        (
            "https://stash.acme.com/projects/TEAM/repos/dags/browse/dags?at=refs%2Fheads%2Fmain",
            "https://stash.acme.com/scm/TEAM/dags.git",
            "main",
            "dags",
        ),
        (
            "https://stash.acme.com/ctx/users/ada/repos/dags/browse?at=refs%2Ftags%2Fv1",
            "https://stash.acme.com/ctx/scm/~ada/dags.git",
            "tag:v1",
            "",
        ),
        # Azure Repos
        (
            "https://dev.azure.com/acme/p/_git/dags?path=/dags/a.yaml&version=GBmain",
            "https://dev.azure.com/acme/p/_git/dags",
            "main",
            "dags",
        ),
        (
            "https://dev.azure.com/acme/my%20project/_git/dags?version=GTv1",
            "https://dev.azure.com/acme/my%20project/_git/dags",
            "tag:v1",
            "",
        ),
    ],
)
def test_page_url_is_refused_with_suggested_url_ref_and_subpath(
    text: str, url: str, ref: str, subpath: str
) -> None:
    with pytest.raises(GitError, match="a web page about a repository") as caught:
        parse_url(text)
    assert caught.value.reason is GitReason.URL_INVALID
    message = str(caught.value)
    assert f"Enter url {url!r}" in message
    assert (f"ref {ref!r}" in message) if ref else (", ref " not in message and " and ref " not in message)
    assert (f"subpath {subpath!r}" in message) if subpath else "subpath" not in message
    assert parse_url(url).fetch_url == url, "what is offered is taken"


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/acme/dags",
        "https://github.com/acme/dags.git",
        "https://github.com/acme/tree",
        "https://github.com/tree/main.git",
        "https://gitlab.example.com/team/sub/deep/dags.git",
        "https://gitlab.example.com/tree/blob/commit.git",
        "https://git.acme.com/srv/git/tree/main.git",
        "https://git.acme.com/a/b/tree/main.git",
        "https://git.acme.com/a/b/src/dags.git",
        "https://git.acme.com/a/b/c/tree/main",
        "https://git.acme.com/srv/pull/12",
        "https://dev.azure.com/acme/p/_git/dags",
        "https://stash.acme.com/scm/TEAM/dags.git",
        "https://stash.acme.com/projects/repos.git",
        "https://bitbucket.org/acme/dags.git",
        "https://codeberg.org/acme/src",
        "ssh://git@github.com/acme/dags/tree/main",
        "git@github.com:acme/dags.git",
    ],
)
def test_repository_url_is_not_treated_as_a_page(text: str) -> None:
    assert parse_url(text).host


def test_ambiguous_branch_or_tag_is_marked_as_a_guess() -> None:
    page = page_of("https", "github.com", "/acme/dags/tree/v1/dags")
    assert page == Page(
        GITHUB,
        "v1",
        "dags",
        "for a tag: ref 'tag:v1'; if the branch name has slashes, more of the path belongs to it",
    )
    assert page.advice == (
        "Enter url 'https://github.com/acme/dags.git', ref 'v1' and subpath 'dags' "
        "(for a tag: ref 'tag:v1'; if the branch name has slashes, more of the path belongs to it)"
    )
    exact = page_of("https", "codeberg.org", "/acme/dags/src/tag/v1/dags")
    assert exact == Page(GITEA, "tag:v1", "dags")


def test_password_in_a_page_url_is_not_repeated() -> None:
    with pytest.raises(GitError, match=r"Enter url 'https://github\.com/acme/dags\.git'") as caught:
        parse_url("https://ada:hunter2@github.com/acme/dags/tree/main?token=hunter2")
    assert "hunter2" not in str(caught.value)
