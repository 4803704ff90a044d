"""Resolution of refs against the refs that a server advertises. Does not use the mirror."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.diagnosis import not_git
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.ref import Ref, RefKind, nearest_names
from gitsync.git.semver import Choice, choose
from gitsync.git.url import RemoteUrl

MAX_BYTES = 1 << 20
MAX_TAGS_BYTES = 16 << 20  # for a range, which needs all tags: enough for over 100 000
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"
_PEELED = "^{}"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolved ref: the branch, tag or commit, and the commit id (of an annotated tag: the peeled one)."""

    ref: Ref
    commit: str


def resolve(client: GitClient, url: RemoteUrl, ref: Ref, credential: Credential | None) -> Resolved:
    """Resolve a ref on the server. A commit resolves to itself, without a request.

    Raises GitError. The message of REF_MISSING names similar refs.
    """
    if ref.kind is RefKind.COMMIT:
        return Resolved(ref, ref.name)
    if ref.kind is RefKind.SEMVER:
        return _resolve_range(client, url, ref, credential)
    names = [ref.full_name] + ([ref.full_name + _PEELED] if ref.kind is RefKind.TAG else [])
    found = _advertised(client, url, credential, *names)
    # ls-remote matches the end of names; only the exact ones count.
    for name in reversed(names):
        if name in found:
            return Resolved(ref, found[name])
    raise missing(client, url, ref, credential)


def missing(client: GitClient, url: RemoteUrl, ref: Ref, credential: Credential | None) -> GitError:
    """Return the error for a missing branch, tag or commit, with similar refs.

    If the server does not speak git, or lacks a commit that it advertises, the error says so.
    """
    what = (
        f"commit {ref.name}" if ref.kind is RefKind.COMMIT else f"{ref.kind} {ref.name!r} ({ref.full_name})"
    )
    try:
        answer = client.ask(
            url, credential, "HEAD", "refs/heads/*", "refs/tags/*", max_output_bytes=MAX_TAGS_BYTES
        )
    except GitError:
        answer = None  # only the list of similar refs is lost
    if answer is None or answer.is_failed:
        return git_error(GitReason.REF_MISSING, f"{url.display} has no {what}. Its refs could not be listed")
    refs = answer.refs
    if not refs and (error := not_git(url, answer)) is not None:
        return error
    if ref.kind is RefKind.COMMIT:
        return _commit_missing(url, ref, refs)
    if ref.full_name in refs:
        return _not_sent(url, ref, refs[ref.full_name])
    return git_error(
        GitReason.REF_MISSING, f"{url.display} has no {what}. {_alike(ref, refs, answer.is_complete)}"
    )


def not_sent(
    client: GitClient, url: RemoteUrl, ref: Ref, credential: Credential | None, wanted: str
) -> GitError:
    """Return the error for a server that lacks the object `wanted`, which it had advertised for the ref."""
    error = missing(client, url, ref, credential)
    if error.reason is GitReason.REPOSITORY_DAMAGED and wanted not in str(error):
        # The ref moved to another commit: the next attempt fetches that one.
        return git_error(GitReason.UNKNOWN, f"{ref.full_name} of {url.display} moved while it was fetched")
    return error


def _not_sent(url: RemoteUrl, ref: Ref, commit: str) -> GitError:
    return git_error(
        GitReason.REPOSITORY_DAMAGED,
        f"{url.display} advertises {commit} for {ref.full_name}, but does not have that commit: the repository on the "
        "server misses objects. Ask the server's operator to run git fsck, or push the branch again from a full clone",
    )


def _commit_missing(url: RemoteUrl, ref: Ref, refs: Mapping[str, str]) -> GitError:
    if names := [name for name, commit in refs.items() if commit == ref.name and name != "HEAD"]:
        return _not_sent(url, Ref(RefKind.BRANCH, names[0].removeprefix(_HEADS)), ref.name)
    digits = {len(commit) for commit in refs.values()}
    if digits and len(ref.name) not in digits:
        own = f"its commit ids have {' or '.join(map(str, sorted(digits)))} digits"
        form = "SHA-256" if 64 in digits else "SHA-1"
        return git_error(
            GitReason.REF_MISSING,
            f"{url.display} has no commit {ref.name}: the repository uses git's {form} format, so {own}. "
            "Enter the commit id in that format",
        )
    return git_error(
        GitReason.REF_MISSING,
        f"{url.display} has no commit {ref.name}, or serves only commits that a branch or tag leads to. "
        "Push the commit, or correct its id",
    )


def _resolve_range(client: GitClient, url: RemoteUrl, ref: Ref, credential: Credential | None) -> Resolved:
    found = _advertised(client, url, credential, ref.full_name, max_bytes=MAX_TAGS_BYTES)
    if not found and (error := not_git(url, client.ask(url, credential, "HEAD"))) is not None:
        raise error
    tags = [
        name.removeprefix(_TAGS) for name in found if name.startswith(_TAGS) and not name.endswith(_PEELED)
    ]
    choice = choose(ref.name, tags)
    if choice.best is None:
        raise git_error(GitReason.REF_MISSING, _nothing_in(url, ref, choice, len(tags)))
    full_name = _TAGS + choice.best.tag
    return Resolved(Ref(RefKind.TAG, choice.best.tag), found.get(full_name + _PEELED, found[full_name]))


def _advertised(
    client: GitClient,
    url: RemoteUrl,
    credential: Credential | None,
    *patterns: str,
    max_bytes: int = MAX_BYTES,
) -> dict[str, str]:
    """Return the object ids of the matching refs, by ref name."""
    output = client.run(
        ["ls-remote", "--quiet", "--", url.fetch_url, *patterns],
        remote=url,
        credential=credential,
        max_output_bytes=max_bytes,
    )
    lines = (line.split("\t", 1) for line in output.decode("utf-8", "replace").split("\n"))
    return {parts[1]: parts[0] for parts in lines if len(parts) == 2}


def _nothing_in(url: RemoteUrl, ref: Ref, choice: Choice, n_tags: int) -> str:
    message = f"no tag of {url.display} is in the range {ref.name!r}"
    stable = [release.tag for release in choice.releases if not release.is_prerelease]
    before = [release.tag for release in choice.releases if release.is_prerelease]
    if not choice.releases:
        there = f"none of its {n_tags} tags is a version like 'v1.2.3'" if n_tags else "it has no tags"
        return f"{message}: {there}. Push such a tag, or follow a branch"
    parts = []
    if stable:
        parts.append(f"its highest releases are {_listed(stable)}")
    if before:
        parts.append(
            f"its highest prereleases are {_listed(before)}, which match only a range with a prerelease "
            f"of the same version, such as '>={_floor(before[0])}'"
        )
    return f"{message}: {'; '.join(parts)}. Correct the range, or push a tag that is in it"


def _floor(tag: str) -> str:
    """Return the lowest prerelease of a prerelease's version: `2.0.0-0` for `v2.0.0-rc.1`."""
    return tag.removeprefix("v").partition("-")[0] + "-0"


def _alike(ref: Ref, advertised: Mapping[str, str], is_complete: bool) -> str:
    """Return a sentence about similar refs. `is_complete`: all refs were read."""
    names = [name for name in advertised if not name.endswith(_PEELED)]
    other = (_TAGS if ref.kind is RefKind.BRANCH else _HEADS) + ref.name
    if other in names:
        written = f"tag:{ref.name}" if ref.kind is RefKind.BRANCH else ref.name
        return f"There is {other}: write {written!r}"
    prefix = ref.full_name.removesuffix(ref.name)
    same = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    kind = ("branch", "branches") if ref.kind is RefKind.BRANCH else ("tag", "tags")
    if not same:
        if not is_complete:
            return (
                f"It has more refs than the {len(names)} that were read, so its {kind[1]} are not listed here"
            )
        return f"It has no {kind[1]}" + ("" if names else ": the repository is empty")
    counted = f"{len(same)} {kind[len(same) > 1]}" if is_complete else f"more than {len(same)} {kind[1]}"
    if near := nearest_names(ref.name, same, count=_SHOWN):
        return f"It has {counted}. Similar {'is' if len(near) == 1 else 'are'} {_listed(near)}"
    return f"It has {counted}, such as {_listed(sorted(same))}"


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:_SHOWN])
