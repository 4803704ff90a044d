"""What a repository follows: a branch, a tag, the highest tag of a range, or one commit.

Branches and tags go by their full name: a bare name that matches both means the tag to git; here it always
means the branch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.semver import RangeInvalid, check_range

MAX_REF_BYTES = 512
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f") | frozenset(map(chr, range(0x20)))


class RefKind(StrEnum):
    """What a ref names."""

    BRANCH = "branch"
    TAG = "tag"
    SEMVER = "semver"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Ref:
    """What is followed; `name` is a branch's or tag's without its `refs/...` prefix, a range, or a commit's id."""

    kind: RefKind
    name: str

    @property
    def full_name(self) -> str:
        """What to ask a server for: `refs/heads/<name>`, `refs/tags/<name>`, a commit's id.

        For a range the pattern of all that may be meant: no name of a ref; `gitsync.git.advertisement`
        finds the tag.
        """
        match self.kind:
            case RefKind.BRANCH:
                return f"refs/heads/{self.name}"
            case RefKind.TAG:
                return f"refs/tags/{self.name}"
            case RefKind.SEMVER:
                return "refs/tags/*"
            case RefKind.COMMIT:
                return self.name

    def __str__(self) -> str:
        return self.name if self.kind is RefKind.BRANCH else f"{self.kind}:{self.name}"


def parse_ref(text: str) -> Ref:
    """`main`, `refs/heads/main`, `tag:v1`, `refs/tags/v1`, `semver:^1.2` or `commit:<full id>`.

    Raises GitError (REF_INVALID), which says what is wrong and where.
    """
    if text.startswith("commit:"):
        return _commit(text)
    if text.startswith("semver:"):
        return _semver(text)
    if text.startswith("tag:"):
        ref = Ref(RefKind.TAG, text.removeprefix("tag:"))
    elif text.startswith("refs/tags/"):
        ref = Ref(RefKind.TAG, text.removeprefix("refs/tags/"))
    elif text.startswith("refs/heads/"):
        ref = Ref(RefKind.BRANCH, text.removeprefix("refs/heads/"))
    elif text.startswith("refs/") or text == "HEAD":
        raise _refused(text, "is neither a branch nor a tag")
    else:
        ref = Ref(RefKind.BRANCH, text)
    if not ref.name:
        raise _refused(text, "names nothing")
    if ref.name.startswith("-"):
        raise _refused(text, "begins with a dash")
    if not text.isprintable():
        raise _refused(text, "has a control or other unprintable character")
    if len(text.encode()) > MAX_REF_BYTES:
        raise _refused(text, f"is longer than {MAX_REF_BYTES} bytes")
    if not is_well_formed(ref.full_name):
        raise _refused(
            text,
            "is no name git allows (no spaces, '..', '@{', any of ~ ^ : ? * [ \\, '.lock' or '.' at an end)",
        )
    return ref


def _commit(text: str) -> Ref:
    commit = text.removeprefix("commit:").lower()
    if odd := re.search(r"[^0-9a-f]", commit):
        column = len("commit:") + odd.start() + 1
        raise _refused(text, f"has {odd.group()!r} (character {column}) where a commit's id has 0-9 and a-f")
    if len(commit) not in (40, 64):
        raise _refused(text, f"has {len(commit)} digits; a commit's full id has 40 (or 64, with SHA-256)")
    return Ref(RefKind.COMMIT, commit)


def _semver(text: str) -> Ref:
    wanted = text.removeprefix("semver:").strip(" ")
    try:
        check_range(wanted)
    except RangeInvalid as exc:
        raise _refused(
            text,
            f"is no range of versions: {exc}. Ranges look like '^1.2', '~1.2.3', '>=1.2 <2', '1.x || 3.x'",
        ) from exc
    return Ref(RefKind.SEMVER, wanted)


def is_well_formed(full_name: str) -> bool:
    """Whether `git check-ref-format <full_name>` accepts the name.

    The rules are those of https://git-scm.com/docs/git-check-ref-format, which works on bytes; all
    it forbids is ASCII, so working on characters is the same.
    """
    components = full_name.split("/")
    return (
        len(components) >= 2
        and all(
            component and not component.startswith(".") and not component.endswith(".lock")
            for component in components
        )
        and not full_name.endswith(".")
        and ".." not in full_name
        and "@{" not in full_name
        and _FORBIDDEN.isdisjoint(full_name)
    )


def _refused(text: str, why: str) -> GitError:
    return git_error(
        GitReason.REF_INVALID,
        f"ref {text[:200]!r} {why}. "
        "Write a branch ('main', 'refs/heads/main'), a tag ('tag:v1', 'refs/tags/v1'), "
        "the highest tag of a range ('semver:^1.2') or a commit ('commit:' and its full id).",
    )
