"""Lookup of a repository's ref among the refs of its remote: its commit, or a message with what exists instead."""

from __future__ import annotations

from gitsync.git.errors import GitError, GitReason
from gitsync.git.near_names import nearest
from gitsync.git.ref import Ref, RefKind
from gitsync.git.remote_refs import RemoteRefs
from gitsync.git.semver import choose
from gitsync.sync.remote import Remote

MAX_NAME_CHARACTERS = 200


def find_ref(remote: Remote, refs: RemoteRefs) -> tuple[str, str, str]:
    """Return the commit, the reason and the message for the ref."""
    ref = remote.ref
    if ref.kind is RefKind.COMMIT:
        return ref.name, "", f"The server answers. {_commit_seen(ref.name, refs)}"
    there = refs.branches if ref.kind is RefKind.BRANCH else refs.tags
    if ref.kind is not RefKind.SEMVER and (commit := there.get(ref.name)):
        return commit, "", f"The server answers and has {ref.kind} {ref.name!r} at {commit[:10]}."
    if not refs.is_complete or not (refs.branches or refs.tags):
        return _ask_for_ref(remote)
    if ref.kind is RefKind.SEMVER:
        return _find_release(ref.name, refs)
    return (
        "",
        GitReason.REF_MISSING,
        f"The server answers, but has no {ref.kind} {ref.name!r}{_hint(ref, refs)}.",
    )


def _ask_for_ref(remote: Remote) -> tuple[str, str, str]:
    """Request the ref itself, after the server listed nothing, or more refs than were read."""
    try:
        commit = remote.probe()
    except GitError as error:
        if error.reason is GitReason.REF_MISSING and "is empty" in str(error):
            return "", error.reason, "The repository is empty: it has no branches and no tags. Push one."
        return "", error.reason, str(error)
    return commit, "", f"The server answers and has {remote.ref} at {commit[:10]}."


def _commit_seen(commit: str, refs: RemoteRefs) -> str:
    for kind, names in (("branch", refs.branches), ("tag", refs.tags)):
        for name, tip in names.items():
            if tip == commit:
                return f"Commit {commit[:10]} is the current commit of {kind} {name[:MAX_NAME_CHARACTERS]!r}."
    return f"No branch or tag is at commit {commit[:10]}; the next sync shows whether the server serves it."


def _find_release(wanted: str, refs: RemoteRefs) -> tuple[str, str, str]:
    choice = choose(wanted, list(refs.tags))
    if choice.best is not None:
        commit = refs.tags[choice.best.tag]
        found = f"The server answers; the highest version in {wanted!r} is tag {choice.best.tag!r} at {commit[:10]}."
        return commit, "", found
    highest = ", ".join(repr(release.tag) for release in choice.releases[:5])
    there = (
        f"its highest versions are {highest}" if highest else "none of its tags is a version like 'v1.2.3'"
    )
    return "", GitReason.REF_MISSING, f"The server answers, but no tag is in the range {wanted!r}: {there}."


def _hint(ref: Ref, refs: RemoteRefs) -> str:
    if ref.kind is RefKind.BRANCH and ref.name in refs.tags:
        return f", only a tag of that name: write tag:{ref.name}"
    if ref.kind is RefKind.TAG and ref.name in refs.branches:
        return f", only a branch of that name: write {ref.name}"
    names = refs.branches if ref.kind is RefKind.BRANCH else refs.tags
    kind = "branches" if ref.kind is RefKind.BRANCH else "tags"
    counted = f" among its {len(names)} {kind}" if len(names) > 1 else ""
    if near := nearest(ref.name, names, count=1):
        return f"{counted}; did you mean {near[0]!r}?"
    default = refs.default_branch
    return (
        f"{counted}; its default branch is {default!r}" if ref.kind is RefKind.BRANCH and default else counted
    )
