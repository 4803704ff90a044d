"""Links to git services: the service, the paths, and hostile names."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.models import Repository
from gitsync.repositories import links as git_links

A, B = "a" * 40, "b" * 40


def of(url: str, delivered_by: str = "") -> Repository:
    row = Repository(name="team", url=url)
    row.delivered_by = delivered_by  # type: ignore[attr-defined]  # no column
    return row


SERVICES = {
    "https://github.com/acme/dags.git": (
        f"https://github.com/acme/dags/commit/{A}",
        f"https://github.com/acme/dags/blob/{A}/d/a.yaml#L7",
        f"https://github.com/acme/dags/compare/{A}...{B}",
    ),
    "https://gitlab.com/acme/data/team/dags.git": (
        f"https://gitlab.com/acme/data/team/dags/-/commit/{A}",
        f"https://gitlab.com/acme/data/team/dags/-/blob/{A}/d/a.yaml#L7",
        f"https://gitlab.com/acme/data/team/dags/-/compare/{A}...{B}",
    ),
    "https://codeberg.org/acme/dags": (
        f"https://codeberg.org/acme/dags/commit/{A}",
        f"https://codeberg.org/acme/dags/src/commit/{A}/d/a.yaml#L7",
        f"https://codeberg.org/acme/dags/compare/{A}...{B}",
    ),
    "https://bitbucket.org/acme/dags.git": (
        f"https://bitbucket.org/acme/dags/commits/{A}",
        f"https://bitbucket.org/acme/dags/src/{A}/d/a.yaml#a.yaml-7",
        f"https://bitbucket.org/acme/dags/branches/compare/{B}%0D{A}",
    ),
    "https://bitbucket.example.com/scm/ACME/dags.git": (
        f"https://bitbucket.example.com/projects/ACME/repos/dags/commits/{A}",
        f"https://bitbucket.example.com/projects/ACME/repos/dags/browse/d/a.yaml?at={A}#7",
        "https://bitbucket.example.com/projects/ACME/repos/dags/compare/diff"
        f"?sourceBranch={B}&targetBranch={A}",
    ),
}


@pytest.mark.parametrize(("url", "links"), SERVICES.items())
def test_each_service_has_its_own_paths(url: str, links: tuple[str, str, str]) -> None:
    row = of(url)
    found = (
        git_links.commit_url(row, A),
        git_links.file_url(row, A, "d/a.yaml", 7),
        git_links.compare_url(row, A, B),
    )
    assert found == links


@pytest.mark.parametrize(
    ("url", "page"),
    {
        "git@github.com:acme/dags.git": "https://github.com/acme/dags",
        "ssh://git@ssh.github.com:443/acme/dags.git": "https://github.com/acme/dags",
        "ssh://git@gitlab.example.com:2222/a/b/c.git": "https://gitlab.example.com/a/b/c/-",
        "https://gitlab.example.com:8443/a/b.git": "https://gitlab.example.com:8443/a/b/-",
        "https://ada@github.com/acme/dags.git": "https://github.com/acme/dags",
        "git@my-forgejo.example.com:acme/dags.git": "https://my-forgejo.example.com/acme/dags",
        "https://git.example.com/gitea/acme/dags.git": "",
        "https://github.example.com/acme/dags.git/": "https://github.example.com/acme/dags",
        "git@github.com:ac%20me/dä gs.git": "",
        "git@github.com:ac%20me/dä<gs>.git": "https://github.com/ac%2520me/d%C3%A4%3Cgs%3E",
        "https://github.com/ac%20me/d%22gs.git": "https://github.com/ac%20me/d%22gs",
        "https://github.com/acme/%2e%2e/dags.git": "",
        "https://github.com/acme/../dags.git": "",
        "https://github.com/dags.git": "",
        "http://github.com/acme/dags.git": "",
        "file:///srv/git/github.com/dags.git": "",
        "https://ada:hunter2secret@github.com/acme/dags.git": "",
        "nonsense": "",
        "": "",
    }.items(),
)
def test_every_form_of_clone_url_links_to_the_repositorys_page(url: str, page: str) -> None:
    assert git_links.commit_url(of(url), A) == (f"{page}/commit/{A}" if page else "")


@pytest.mark.parametrize(
    ("url", "page"),
    {
        "ssh://git@bitbucket.example.com:7999/ACME/dags.git": "/projects/ACME/repos/dags",
        "https://bitbucket.example.com/stash/scm/acme/dags.git": "/stash/projects/acme/repos/dags",
        "https://bitbucket.example.com/scm/~ada/dags.git": "/users/ada/repos/dags",
    }.items(),
)
def test_self_hosted_bitbucket_has_projects_and_users(url: str, page: str) -> None:
    assert git_links.commit_url(of(url), A) == f"https://bitbucket.example.com{page}/commits/{A}"


def test_service_is_chosen_by_known_host_then_webhook_then_name() -> None:
    assert git_links.commit_url(of("https://git.example.com/a/b.git"), A) == ""
    told = git_links.commit_url(of("https://git.example.com/a/b.git", "gitlab"), A)
    assert told == f"https://git.example.com/a/b/-/commit/{A}"
    told = git_links.commit_url(of("https://github.example.com/a/b.git", "gitea"), A)
    assert told == f"https://github.example.com/a/b/commit/{A}"
    assert git_links.file_url(of("https://github.com/a/b.git", "gitlab"), A, "x").startswith(
        "https://github.com/a/b/blob/"
    )


@pytest.mark.parametrize("sha", ["", "main", "A" * 40, "a" * 39, "a" * 41, f"{A}\n", "../../x"])
def test_only_a_whole_commit_is_linked(sha: str) -> None:
    row = of("https://github.com/acme/dags.git")
    assert git_links.commit_url(row, sha) == ""
    assert git_links.file_url(row, sha, "a.yaml") == ""
    assert git_links.compare_url(row, sha, A) == ""
    assert git_links.compare_url(row, A, A) == ""


@given(
    path=st.text(min_size=1, max_size=60),
    line=st.none() | st.integers(-1, 10**6),
    url=st.sampled_from(list(SERVICES)),
)
def test_special_characters_in_a_path_are_encoded(path: str, line: int | None, url: str) -> None:
    found = git_links.file_url(of(url), A, path, line)
    if not found:
        assert any(part in ("", ".", "..") for part in path.split("/"))
        return
    parts = urlsplit(found)
    assert parts.scheme == "https"
    assert parts.netloc == urlsplit(url).netloc
    assert found.isascii()
    assert not set(found) & set("\"'<> \\\n\r`{}")
    assert unquote(parts.path, errors="surrogateescape").endswith(f"/{path}")
