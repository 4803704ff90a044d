"""Branches and tags, always by their full name.

A bare name that matches a branch and a tag means the tag to git; here it always means the branch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gitsync.git.errors import GitError, GitReason, git_error

MAX_REF_BYTES = 512
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f") | frozenset(map(chr, range(0x20)))


class RefKind(StrEnum):
    """What a ref names."""

    BRANCH = "branch"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or a tag; `name` is without its `refs/...` prefix."""

    kind: RefKind
    name: str

    @property
    def full_name(self) -> str:
        """`refs/heads/<name>` or `refs/tags/<name>`."""
        return ("refs/heads/" if self.kind is RefKind.BRANCH else "refs/tags/") + self.name

    def __str__(self) -> str:
        return self.name if self.kind is RefKind.BRANCH else f"tag:{self.name}"


def parse_ref(text: str) -> Ref:
    """`main`, `refs/heads/main`, `tag:v1` or `refs/tags/v1`. Raises GitError (REF_INVALID)."""
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
        "Write a branch ('main', 'refs/heads/main') or a tag ('tag:v1', 'refs/tags/v1').",
    )
