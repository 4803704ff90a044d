"""Urls of web pages of git services, pasted from a browser instead of a repository's url.

`https://github.com/acme/dags/tree/main/dags` is a web page. The repository is `https://github.com/acme/dags.git`, and the
page names a ref and a folder of it. This is part of reading a url (`gitsync.git.url`), for services that are not in
`gitsync.git_services` too, which this package does not import. Each service documents its paths:

- GitHub: https://docs.github.com/en/repositories/working-with-files/using-files/getting-permanent-links-to-files
- GitLab: https://docs.gitlab.com/user/project/repository/files/#permanent-links
- Gitea, Forgejo: https://forgejo.org/docs/latest/user/linked-references/
- Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/hyperlink-to-source-code-in-bitbucket/
- Bitbucket Data Center: https://confluence.atlassian.com/bitbucketserver/
- Azure Repos: https://learn.microsoft.com/en-us/azure/devops/repos/git/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, quote, unquote

from gitsync.git.errors import GitError
from gitsync.git.ref import parse_ref
from gitsync.git.scope import parse_subpath

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GITHUB_PAGES = frozenset(
    (
        *("actions", "activity", "archive", "blame", "blob", "branches", "commit", "commits", "compare"),
        *(
            "discussions",
            "edit",
            "graphs",
            "issues",
            "network",
            "packages",
            "projects",
            "pull",
            "pulls",
            "pulse",
        ),
        *("raw", "releases", "security", "settings", "tags", "tree", "wiki"),
    )
)
_WITH_REF = frozenset({"tree", "blob", "raw", "blame", "edit", "commits", "src"})
_SLASHES = "if the branch name has slashes, more of the path belongs to it"
_FULL_ID = "to follow a commit, enter its full id as 'commit:...'"
_FILE_PAGES = frozenset({"blob", "raw", "blame", "edit"})
_BITBUCKET_PAGES = frozenset({"src", "commits", "branch", "branches", "pull-requests", "downloads", "admin"})


@dataclass(frozen=True, slots=True)
class Page:
    """A web page of a repository, with the url, ref and subpath that it names.

    `url` is that of the repository. `ref` has the syntax of `parse_ref`, `subpath` that of `parse_subpath`. Both are "" if
    the page does not name them or they cannot be used. `note` says what the page leaves open.
    """

    url: str = ""
    ref: str = ""
    subpath: str = ""
    note: str = ""

    @property
    def advice(self) -> str:
        """Return a sentence with the values to enter instead."""
        given = {"url": self.url, "ref": self.ref, "subpath": self.subpath}
        parts = [f"{name} {value!r}" for name, value in given.items() if value]
        listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        return f"Enter {listed}" + (f" ({self.note})" if self.note else "")


def page_of(scheme: str, authority: str, path: str, query: str = "") -> Page | None:
    """Return the page at a web url, or None if the url may be that of a repository. `authority` has no user."""
    host = authority.lower().partition(":")[0]
    parts = [unquote(part) for part in path.split("/") if part]
    values = _values(query)
    found = (
        _raw_github(host, parts)
        or _azure(parts, values)
        or _gitlab(parts, values)
        or _gitea(parts)
        or _bitbucket_cloud(host, parts)
        or _bitbucket_server(parts, values)
        or _github(host, parts)
    )
    if found is None:
        return None
    host_of_git, repository, page = found
    at = f"{scheme}://{host_of_git or authority.lower()}/{quote('/'.join(repository), safe='/~')}"
    return _checked(replace(page, url=at))


# The host of the repository ("": that of the page), the components of its path, and the page without its url.
_Found = tuple[str, Sequence[str], Page]


def _raw_github(host: str, parts: Sequence[str]) -> _Found | None:
    if host != "raw.githubusercontent.com" or len(parts) < 4:
        return None
    return "github.com", _with_suffix(parts[:2]), _named(parts[2:], is_file=True)


def _github(host: str, parts: Sequence[str]) -> _Found | None:
    """Parse GitHub, GitHub Enterprise and sourcehut: `/owner/repository/kind/...`."""
    if len(parts) < 3 or parts[2] not in _GITHUB_PAGES:
        return None
    kind, rest = parts[2], parts[3:]
    is_known = "github" in re.split(r"[.-]", host)
    if not is_known and (
        kind not in ("tree", "blob", "commit", "releases") or not rest or rest[-1].endswith(".git")
    ):
        return None
    if host == "git.sr.ht":
        rest = [part for at, part in enumerate(rest) if not (at == 1 and part == "item")]
    repository = parts[:2] if host == "git.sr.ht" else _with_suffix(parts[:2])
    return "", repository, _page(kind, rest)


def _gitlab(parts: Sequence[str], values: Mapping[str, str]) -> _Found | None:
    """Parse GitLab: `/group/.../project/-/kind/...`. No project can be named `-`."""
    if "-" not in parts[2:]:
        return None
    at = parts.index("-", 2)
    kind, rest = (parts[at + 1], parts[at + 2 :]) if at + 1 < len(parts) else ("", ())
    page = _page(kind, rest)
    if values.get("ref_type") == "tags" and page.note:
        page = replace(page, ref=f"tag:{page.ref}", note="")
    return "", _with_suffix(parts[:at]), page


def _gitea(parts: Sequence[str]) -> _Found | None:
    """Parse Gitea and Forgejo: `/owner/repository/src/{branch,tag,commit}/...`, also with `raw`, `commits` and others."""
    if len(parts) < 5 or parts[2] not in ("src", "raw", "commits", "media", "blame"):
        return None
    kind, rest = parts[3], parts[4:]
    if kind not in ("branch", "tag", "commit"):
        return None
    page = _named(rest, is_file=parts[2] in ("raw", "media", "blame"))
    if kind == "tag":
        page = replace(page, ref=f"tag:{page.ref}", note="")
    return "", _with_suffix(parts[:2]), page


def _bitbucket_cloud(host: str, parts: Sequence[str]) -> _Found | None:
    if host != "bitbucket.org" or len(parts) < 3 or parts[2] not in _BITBUCKET_PAGES:
        return None
    kind, rest = parts[2], parts[3:]
    if kind == "branch":
        return "", _with_suffix(parts[:2]), Page(ref="/".join(rest))
    return "", _with_suffix(parts[:2]), _page({"commits": "commit"}.get(kind, kind), rest)


def _bitbucket_server(parts: Sequence[str], values: Mapping[str, str]) -> _Found | None:
    """Parse Bitbucket Data Center: `[/context]/projects/KEY/repos/slug[/browse/path?at=ref]`, with git under `/scm`."""
    for owner, sign in (("projects", ""), ("users", "~")):
        at = parts.index(owner) if owner in parts else -1
        if at < 0 or len(parts) < at + 4 or parts[at + 2] != "repos":
            continue
        key, slug, rest = parts[at + 1], parts[at + 3], parts[at + 4 :]
        ref = values.get("at", "")
        if rest[:1] == ["commits"] and len(rest) > 1:
            page = _page("commit", rest[1:])
        else:
            page = Page(ref=_full(ref), subpath=_folder("/".join(rest[1:])) if rest[:1] == ["browse"] else "")
        return "", [*parts[:at], "scm", sign + key, f"{slug.removesuffix('.git')}.git"], page
    return None


def _azure(parts: Sequence[str], values: Mapping[str, str]) -> _Found | None:
    """Parse Azure Repos: `/organization/project/_git/repository?path=...&version=GBmain`.

    Without a query, that is the url of the repository.
    """
    if "_git" not in parts or not {"path", "version"} & values.keys():
        return None
    at = parts.index("_git")
    if at + 1 >= len(parts):
        return None
    version = values.get("version", "")
    kind, name = version[:2], version[2:]
    ref = {"GB": name, "GT": f"tag:{name}", "GC": f"commit:{name}"}.get(kind, "")
    return "", parts[: at + 2], Page(ref=ref, subpath=_folder(values.get("path", "").strip("/")))


def _page(kind: str, rest: Sequence[str]) -> Page:
    """Return the page of this kind for the rest of its path."""
    if kind in ("releases", "tags"):
        name = rest[1:] if rest[:1] == ["tag"] else rest[1:2] if rest[:1] == ["download"] else rest
        return Page(ref=f"tag:{'/'.join(name)}" if name and name != ["latest"] else "")
    if kind == "archive":
        name = re.sub(r"\.(zip|tar\.gz|tar|tar\.bz2)$", "", "/".join(rest)).split("/")
        return _named(name, is_file=False)
    if kind == "commit":
        return Page(ref=f"commit:{rest[0]}") if rest and _COMMIT.fullmatch(rest[0]) else Page(note=_FULL_ID)
    if kind not in _WITH_REF:
        return Page()
    return _named(rest, is_file=kind in _FILE_PAGES)


def _named(rest: Sequence[str], *, is_file: bool) -> Page:
    """Return the page for `ref/folder/...`. The subpath of a file is its folder."""
    if rest[:2] in (["refs", "heads"], ["refs", "tags"]):
        is_tag, rest = rest[1] == "tags", rest[2:]
        if not rest:
            return Page()
        ref, note = (f"tag:{rest[0]}", "") if is_tag else (rest[0], _SLASHES if rest[1:] else "")
    elif rest and _COMMIT.fullmatch(rest[0]):
        ref, note = f"commit:{rest[0]}", ""
    elif rest and rest[0]:
        ref = rest[0]
        note = f"for a tag: ref 'tag:{ref}'" + (f"; {_SLASHES}" if rest[1:] else "")
    else:
        return Page()
    path = "/".join(rest[1:-1] if is_file else rest[1:])
    return Page(ref=ref, subpath=_folder(path), note=note)


def _full(ref: str) -> str:
    """Return the ref for a query's value: `refs/heads/main`, `refs/tags/v1`, a commit id or a name."""
    if ref.startswith("refs/tags/"):
        return f"tag:{ref.removeprefix('refs/tags/')}"
    return f"commit:{ref}" if _COMMIT.fullmatch(ref) else ref.removeprefix("refs/heads/")


def _folder(path: str) -> str:
    """Return the path without a file name at its end, which is recognised by its suffix."""
    return (
        path.rpartition("/")[0] if re.search(r"\.(ya?ml|py|jar|json|md|txt)$", path, re.IGNORECASE) else path
    )


def _with_suffix(repository: Sequence[str]) -> list[str]:
    return [*repository[:-1], f"{repository[-1].removesuffix('.git')}.git"]


def _values(query: str) -> Mapping[str, str]:
    try:
        return {name: found[0] for name, found in parse_qs(query, max_num_fields=50).items()}
    except ValueError:
        return {}


def _checked(page: Page) -> Page:
    """Return the page without a ref or folder that would be refused."""
    try:
        parse_ref(page.ref or "main")
    except GitError:
        page = replace(page, ref="", note="")
    try:
        parse_subpath(page.subpath)
    except GitError:
        page = replace(page, subpath="")
    return page
