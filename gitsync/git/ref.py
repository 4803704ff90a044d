"""The ref that a repository follows: a branch, a tag, the highest tag in a version range, or one commit.

Branches and tags are requested by full name. For git, a short name that matches both is the tag. Here it is always the
branch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.semver import RangeInvalid, check_range

MAX_REF_BYTES = 512
MAX_COMPARED = 5000  # names
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f") | frozenset(map(chr, range(0x20)))


class RefKind(StrEnum):
    """The kind of a ref."""

    BRANCH = "branch"
    TAG = "tag"
    SEMVER = "semver"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref. `name` is a branch or tag without its `refs/...` prefix, a version range, or a commit id."""

    kind: RefKind
    name: str

    @property
    def full_name(self) -> str:
        """Return the name to request from a server: `refs/heads/<name>`, `refs/tags/<name>` or a commit id.

        For a range it is the pattern of all tags, from which `gitsync.git.advertisement` chooses one.
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
    """Parse `main`, `refs/heads/main`, `tag:v1`, `refs/tags/v1`, `semver:^1.2` or `commit:<full id>`.

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
        raise _refused(text, "has no name")
    if ref.name.startswith("-"):
        raise _refused(text, "begins with a dash")
    if not text.isprintable():
        raise _refused(text, "has a control or other unprintable character")
    if len(text.encode()) > MAX_REF_BYTES:
        raise _refused(text, f"is longer than {MAX_REF_BYTES} bytes")
    if not is_well_formed(ref.full_name):
        raise _refused(
            text,
            "is not a valid name in git (no spaces, no '..', no '@{', none of ~ ^ : ? * [ \\, no '.lock' or '.' at an end)",
        )
    return ref


def _commit(text: str) -> Ref:
    commit = text.removeprefix("commit:").lower()
    if odd := re.search(r"[^0-9a-f]", commit):
        column = len("commit:") + odd.start() + 1
        raise _refused(
            text, f"has {odd.group()!r} (character {column}), but a commit id has only 0-9 and a-f"
        )
    if len(commit) not in (40, 64):
        raise _refused(text, f"has {len(commit)} digits, but a full commit id has 40 (or 64 with SHA-256)")
    return Ref(RefKind.COMMIT, commit)


def _semver(text: str) -> Ref:
    wanted = text.removeprefix("semver:").strip(" ")
    try:
        check_range(wanted)
    except RangeInvalid as exc:
        raise _refused(
            text,
            f"is not a version range: {exc}. Ranges look like '^1.2', '~1.2.3', '>=1.2 <2', '1.x || 3.x'",
        ) from exc
    return Ref(RefKind.SEMVER, wanted)


def is_well_formed(full_name: str) -> bool:
    """Return whether `git check-ref-format <full_name>` accepts the name.

    The rules are those of https://git-scm.com/docs/git-check-ref-format. git checks bytes, but forbids only ASCII
    characters, so checking characters is equivalent.
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
        "Enter a branch ('main', 'refs/heads/main'), a tag ('tag:v1', 'refs/tags/v1'), "
        "a version range ('semver:^1.2', follows the highest tag in it) or a commit ('commit:' and its full id).",
    )


def nearest_names(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return at most `count` branches or tags with a name similar to a missing one, the most similar first.

    At most `MAX_COMPARED` names, those of about the same length, are compared letter by letter.
    """
    everything = list(names)
    lower = name.lower()
    same = [other for other in everything if other.lower() == lower]
    # `origin/main` for `main`, and `fix-1` for `feature/fix-1`.
    ends = [other for other in everything if other.endswith(f"/{name}") or name.endswith(f"/{other}")]
    alike = sorted(everything, key=lambda other: abs(len(other) - len(name)))[:MAX_COMPARED]
    found = [*same, *sorted(ends), *difflib.get_close_matches(name, alike, n=count, cutoff=0.6)]
    return list(dict.fromkeys(found))[:count]
