"""Where people see a commit, a file, or the difference of two commits on the git service that hosts a repository.

Which service that is, is told by the host of the well-known ones (`HOSTS`), else by the last webhook that the
repository's service signed (`tell_services`), else by a word of the host's name (`gitlab.example.com`). Where none of
these tells, there is no link. Paths are those that each service documents:

- GitHub: https://docs.github.com/en/repositories/working-with-files/using-files/getting-permanent-links-to-files
- GitLab: https://docs.gitlab.com/user/project/repository/files/#permanent-links
- Gitea, Forgejo: https://forgejo.org/docs/latest/user/linked-references/
- Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/hyperlink-to-source-code-in-bitbucket/
- Bitbucket Data Center: https://confluence.atlassian.com/bitbucketserver/

Links are https, without credentials, and percent-encoded, whatever the names hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from gitsync.git.errors import GitError
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Delivery, DeliveryOutcome, Repository

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SCHEMES = frozenset({"https", "ssh"})
"""From others nothing tells where the service's pages are."""


@dataclass(frozen=True, slots=True)
class Forms:
    """A service's paths below its repository's page.

    `{sha}`, `{path}`, `{line}`, `{from_sha}`, `{to_sha}`; `{name}` is the last part of the path.
    """

    commit: str
    file: str
    line: str
    compare: str


GITHUB = Forms("commit/{sha}", "blob/{sha}/{path}", "#L{line}", "compare/{from_sha}...{to_sha}")
GITLAB = Forms("-/commit/{sha}", "-/blob/{sha}/{path}", "#L{line}", "-/compare/{from_sha}...{to_sha}")
GITEA = Forms("commit/{sha}", "src/commit/{sha}/{path}", "#L{line}", "compare/{from_sha}...{to_sha}")
BITBUCKET_CLOUD = Forms(
    "commits/{sha}", "src/{sha}/{path}", "#{name}-{line}", "branches/compare/{to_sha}%0D{from_sha}"
)
BITBUCKET_SERVER = Forms(
    "commits/{sha}",
    "browse/{path}?at={sha}",
    "#{line}",
    "compare/diff?sourceBranch={to_sha}&targetBranch={from_sha}",
)

SERVICES: Mapping[str, Forms] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "gitea": GITEA,
    "bitbucket": BITBUCKET_SERVER,
}
"""By the name that a delivery has of its service. Bitbucket's Cloud has but one host."""
HOSTS: Mapping[str, tuple[str, Forms]] = {
    "github.com": ("github.com", GITHUB),
    "ssh.github.com": ("github.com", GITHUB),
    "gitlab.com": ("gitlab.com", GITLAB),
    "altssh.gitlab.com": ("gitlab.com", GITLAB),
    "bitbucket.org": ("bitbucket.org", BITBUCKET_CLOUD),
    "altssh.bitbucket.org": ("bitbucket.org", BITBUCKET_CLOUD),
    "codeberg.org": ("codeberg.org", GITEA),
    "gitea.com": ("gitea.com", GITEA),
}
"""Hosts that git talks to, with the host of their pages; some take ssh on port 443 under another name."""
WORDS: Mapping[str, Forms] = {**SERVICES, "forgejo": GITEA, "stash": BITBUCKET_SERVER}
"""What parts of a self-hosted service's host name tell."""
_UNPROVEN = (DeliveryOutcome.UNSIGNED, DeliveryOutcome.SIGNATURE, DeliveryOutcome.SECRET)


def commit_url(repository: Repository, sha: str) -> str:
    """The page of a commit; "" where there is none."""
    found = _service(repository)
    if found is None or not _SHA.fullmatch(sha):
        return ""
    page, forms = found
    return f"{page}/{forms.commit.format(sha=sha)}"


def file_url(repository: Repository, sha: str, path: str, line: int | None = None) -> str:
    """The page of a file as it was at a commit, at a line (from 1) where one is given; "" where there is none."""
    found = _service(repository)
    if found is None or not _SHA.fullmatch(sha) or not _is_plain(path):
        return ""
    page, forms = found
    url = f"{page}/{forms.file.format(sha=sha, path=_quoted(path))}"
    if line is None or line < 1:
        return url
    return url + forms.line.format(line=line, name=_quoted(path.rpartition("/")[2]))


def compare_url(repository: Repository, from_sha: str, to_sha: str) -> str:
    """The page of what changed between two commits; "" where there is none, or they are the same."""
    found = _service(repository)
    if found is None or from_sha == to_sha or not (_SHA.fullmatch(from_sha) and _SHA.fullmatch(to_sha)):
        return ""
    page, forms = found
    return f"{page}/{forms.compare.format(from_sha=from_sha, to_sha=to_sha)}"


def source_url(repository_name: str, commit: str, path: str) -> str:
    """As `file_url`, by the repository's name; "" where it is gone. Two queries at most."""
    repository = Repository.objects.filter(name=repository_name).only("pk", "url").first()
    if repository is None:
        return ""
    tell_services([repository])
    return file_url(repository, commit, path)


def tell_services(repositories: Iterable[Repository]) -> None:
    """Have these rows know which service signed the last webhook for them. One query at most.

    A delivery that proved no knowledge of the secret tells nothing.
    """
    rows = [row for row in repositories if (url := _parsed(row.url)) and url.host not in HOSTS]
    if not rows:
        return
    newest = (
        Delivery.objects.filter(repository__in={row.pk for row in rows})
        .exclude(service="")
        .exclude(outcome__in=_UNPROVEN)
        .order_by("repository_id", "-id")
        .distinct("repository_id")
    )
    services = dict(newest.values_list("repository_id", "service"))
    for row in rows:
        row.delivered_by = services.get(row.pk, "")  # type: ignore[attr-defined]  # no column


def _service(repository: Repository) -> tuple[str, Forms] | None:
    """The address of the repository's page, without a final slash, and its service's forms."""
    url = _parsed(repository.url)
    if url is None:
        return None
    if url.host in HOSTS:
        host, forms = HOSTS[url.host]
        return _page(host, url, forms)
    told = SERVICES.get(getattr(repository, "delivered_by", ""))
    words = re.split(r"[.-]", url.host)
    forms_or_none = told or next((WORDS[word] for word in words if word in WORDS), None)
    if forms_or_none is None:
        return None
    # The port of ssh says nothing of where the pages are.
    host = url.authority if url.scheme == "https" else RemoteUrl("https", url.host, None, None, "/").authority
    return _page(host, url, forms_or_none)


def _parsed(text: str) -> RemoteUrl | None:
    try:
        return parse_url(text, allow_protocols=_SCHEMES)
    except GitError:
        return None


def _page(host: str, url: RemoteUrl, forms: Forms) -> tuple[str, Forms] | None:
    # What git takes as it is (the scp form) holds no encoding.
    raw = url.path.encode() if url.from_home else unquote_to_bytes(url.path)
    path = raw.decode("utf-8", "surrogateescape").strip("/")
    path = path.removesuffix(".git")
    if not _is_plain(path) or "/" not in path:
        return None
    if forms is BITBUCKET_SERVER:
        path = _of_bitbucket_server(path)
    return f"https://{host}/{_quoted(path)}", forms


def _of_bitbucket_server(path: str) -> str:
    """`KEY/slug` (ssh) or `[context/]scm/KEY/slug` (https) to `[context/]projects/KEY/repos/slug`; `~user` is a user's."""
    *context, key, slug = path.split("/")
    if context and context[-1] == "scm":
        context.pop()
    owner = ("users", key[1:]) if key.startswith("~") else ("projects", key)
    return "/".join((*context, *owner, "repos", slug))


def _is_plain(path: str) -> bool:
    """Whether every part is a name: nothing that a browser would take for a way up."""
    return bool(path) and not any(part in ("", ".", "..") for part in path.split("/"))


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")
