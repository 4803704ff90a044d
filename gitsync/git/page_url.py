"""Urls of pages on git services, pasted from a browser where a repository's url belongs.

`https://github.com/acme/dags/tree/main/dags` is a page. The repository is `https://github.com/acme/dags.git`, and the page
names a ref and a folder of it. The paths are those that each service documents:

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
from gitsync.git.subpath import parse_subpath

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
_SLASHES = "a branch name with slashes takes more of the path"
_FULL_ID = "a ref names a commit by its full id: 'commit:...'"
_FILE_PAGES = frozenset({"blob", "raw", "blame", "edit"})
_BITBUCKET_PAGES = frozenset({"src", "commits", "branch", "branches", "pull-requests", "downloads", "admin"})


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a repository, and what it names.

    `url` is the repository's. `ref` is as `parse_ref` takes it, `subpath` as `parse_subpath` does; "" for what the page does
    not name, or what cannot be used. `note` says what the page leaves open, "" for nothing.
    """

    url: str = ""
    ref: str = ""
    subpath: str = ""
    note: str = ""

    @property
    def advice(self) -> str:
        """What to write instead, in words."""
        given = {"url": self.url, "ref": self.ref, "subpath": self.subpath}
        parts = [f"{name} {value!r}" for name, value in given.items() if value]
        listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        return f"Write {listed}" + (f" ({self.note})" if self.note else "")


def page_of(scheme: str, authority: str, path: str, query: str = "") -> Page | None:
    """Return the page at a web url, or None where the url may be a repository's. `authority` is without a user."""
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


_Found = tuple[str, Sequence[str], Page]
"""The host where the repository is ("": the page's), the components of its path, and the page without its url."""


def _raw_github(host: str, parts: Sequence[str]) -> _Found | None:
    if host != "raw.githubusercontent.com" or len(parts) < 4:
        return None
    return "github.com", _with_suffix(parts[:2]), _named(parts[2:], is_file=True)


def _github(host: str, parts: Sequence[str]) -> _Found | None:
    """GitHub, GitHub Enterprise, sourcehut: `/owner/repository/kind/...`."""
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
    """GitLab: `/group/.../project/-/kind/...`; `-` is no name that a project can have."""
    if "-" not in parts[2:]:
        return None
    at = parts.index("-", 2)
    kind, rest = (parts[at + 1], parts[at + 2 :]) if at + 1 < len(parts) else ("", ())
    page = _page(kind, rest)
    if values.get("ref_type") == "tags" and page.note:
        page = replace(page, ref=f"tag:{page.ref}", note="")
    return "", _with_suffix(parts[:at]), page


def _gitea(parts: Sequence[str]) -> _Found | None:
    """Gitea, Forgejo: `/owner/repository/src/branch/...`, `/src/tag/...`, `/src/commit/...`; `raw` and `commits` alike."""
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
    """Bitbucket Data Center: `[/context]/projects/KEY/repos/slug[/browse/path?at=ref]`; its git is under `/scm`."""
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
    """Azure Repos: `/organization/project/_git/repository?path=...&version=GBmain`; without a query it is the repository."""
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
    """What a page of this kind names by the rest of its path."""
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
    """The ref and the folder of `ref/folder/...`; of a file, the folder that holds it."""
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
    """A ref as a query has it: `refs/heads/main`, `refs/tags/v1`, a commit's id or a name."""
    if ref.startswith("refs/tags/"):
        return f"tag:{ref.removeprefix('refs/tags/')}"
    return f"commit:{ref}" if _COMMIT.fullmatch(ref) else ref.removeprefix("refs/heads/")


def _folder(path: str) -> str:
    """The path without a file's name at its end, told by its ending."""
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
    """The page, without a ref or folder that would be refused in its turn."""
    try:
        parse_ref(page.ref or "main")
    except GitError:
        page = replace(page, ref="", note="")
    try:
        parse_subpath(page.subpath)
    except GitError:
        page = replace(page, subpath="")
    return page
