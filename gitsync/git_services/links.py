"""Links to a commit, a file, or the difference of two commits on the web pages of a repository's git service.

The service is known by a well-known host (`HOSTS`), else by the last signed webhook of the repository (`tell_services`),
else by a word in the host name (`gitlab.example.com`). Otherwise there is no link. The paths are those that each service
documents:

- GitHub: https://docs.github.com/en/repositories/working-with-files/using-files/getting-permanent-links-to-files
- GitLab: https://docs.gitlab.com/user/project/repository/files/#permanent-links
- Gitea, Forgejo: https://forgejo.org/docs/latest/user/linked-references/
- Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/hyperlink-to-source-code-in-bitbucket/
- Bitbucket Data Center: https://confluence.atlassian.com/bitbucketserver/

Links are https, without credentials, and percent-encoded.
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
_SCHEMES = frozenset({"https", "ssh"})  # other schemes do not reveal the host of the service's pages


@dataclass(frozen=True, slots=True)
class Forms:
    """A service's paths below a repository's page.

    Placeholders: `{sha}`, `{path}`, `{line}`, `{from_sha}`, `{to_sha}`, and `{name}` for the last part of the path.
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

# By the service's name in a webhook delivery. Bitbucket Cloud is not listed: its only host is in `HOSTS`.
SERVICES: Mapping[str, Forms] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "gitea": GITEA,
    "bitbucket": BITBUCKET_SERVER,
}
# The hosts that git connects to, with the host of their web pages. Some accept ssh on port 443 under another name.
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
# Words in the host name of a self-hosted service.
WORDS: Mapping[str, Forms] = {**SERVICES, "forgejo": GITEA, "stash": BITBUCKET_SERVER}
_UNPROVEN = (DeliveryOutcome.UNSIGNED, DeliveryOutcome.SIGNATURE, DeliveryOutcome.SECRET)


def commit_url(repository: Repository, sha: str) -> str:
    """Return the URL of a commit's page, or "" if it is unknown."""
    found = _service(repository)
    if found is None or not _SHA.fullmatch(sha):
        return ""
    page, forms = found
    return f"{page}/{forms.commit.format(sha=sha)}"


def file_url(repository: Repository, sha: str, path: str, line: int | None = None) -> str:
    """Return the URL of a file's page at a commit, and at a line (from 1) if given; "" if it is unknown."""
    found = _service(repository)
    if found is None or not _SHA.fullmatch(sha) or not _is_plain(path):
        return ""
    page, forms = found
    url = f"{page}/{forms.file.format(sha=sha, path=_quoted(path))}"
    if line is None or line < 1:
        return url
    return url + forms.line.format(line=line, name=_quoted(path.rpartition("/")[2]))


def compare_url(repository: Repository, from_sha: str, to_sha: str) -> str:
    """Return the URL of the comparison of two commits; "" if it is unknown or the commits are the same."""
    found = _service(repository)
    if found is None or from_sha == to_sha or not (_SHA.fullmatch(from_sha) and _SHA.fullmatch(to_sha)):
        return ""
    page, forms = found
    return f"{page}/{forms.compare.format(from_sha=from_sha, to_sha=to_sha)}"


def source_url(repository_name: str, commit: str, path: str) -> str:
    """Return the `file_url` for a repository's name, or "" if the repository does not exist. Two queries at most."""
    repository = Repository.objects.filter(name=repository_name).only("pk", "url").first()
    if repository is None:
        return ""
    tell_services([repository])
    return file_url(repository, commit, path)


def tell_services(repositories: Iterable[Repository]) -> None:
    """Store on each row which service signed its last webhook. One query at most.

    Deliveries that did not prove knowledge of the secret are ignored.
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
    """Return the URL of the repository's page, without a trailing slash, and the path forms of its service."""
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
    # The ssh port is not the port of the web pages.
    host = url.authority if url.scheme == "https" else RemoteUrl("https", url.host, None, None, "/").authority
    return _page(host, url, forms_or_none)


def _parsed(text: str) -> RemoteUrl | None:
    try:
        return parse_url(text, allow_protocols=_SCHEMES)
    except GitError:
        return None


def _page(host: str, url: RemoteUrl, forms: Forms) -> tuple[str, Forms] | None:
    # The scp form of a URL is not percent-encoded.
    raw = url.path.encode() if url.from_home else unquote_to_bytes(url.path)
    path = raw.decode("utf-8", "surrogateescape").strip("/")
    path = path.removesuffix(".git")
    if not _is_plain(path) or "/" not in path:
        return None
    if forms is BITBUCKET_SERVER:
        path = _of_bitbucket_server(path)
    return f"https://{host}/{_quoted(path)}", forms


def _of_bitbucket_server(path: str) -> str:
    """Convert `KEY/slug` (ssh) or `[context/]scm/KEY/slug` (https) to `[context/]projects/KEY/repos/slug`.

    A key `~user` becomes `users/user`.
    """
    *context, key, slug = path.split("/")
    if context and context[-1] == "scm":
        context.pop()
    owner = ("users", key[1:]) if key.startswith("~") else ("projects", key)
    return "/".join((*context, *owner, "repos", slug))


def _is_plain(path: str) -> bool:
    """Return whether every part is a plain name, not one that a browser resolves, such as `..`."""
    return bool(path) and not any(part in ("", ".", "..") for part in path.split("/"))


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")
