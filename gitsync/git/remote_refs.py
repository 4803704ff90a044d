"""What a remote has: its branches, its tags, and its default branch, by one `ls-remote`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.errors import GitError, GitReason
from gitsync.git.url import RemoteUrl

MAX_BYTES = 16 << 20  # over 200 000 names
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """Names without their `refs/...` prefix, each with the commit it names; an annotated tag is peeled.

    `default_branch` is what HEAD names, "" where it names none or the server does not say. Names come from
    the server: what of them is not printable or no UTF-8 is replaced. `is_complete` is false where there are more than
    were read.
    """

    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    default_branch: str = ""
    is_complete: bool = True


def list_refs(
    client: GitClient,
    url: RemoteUrl,
    credential: Credential | None,
    *,
    timeout_seconds: float | None = None,
) -> RemoteRefs:
    """Ask the remote, and read its first `MAX_BYTES` of names. Raises GitError."""
    try:
        output = client.run(
            ["ls-remote", "--symref", "--", url.fetch_url],
            remote=url,
            credential=credential,
            timeout_seconds=timeout_seconds,
            max_output_bytes=MAX_BYTES,
        )
    except GitError as error:
        if error.reason is not GitReason.OUTPUT_TOO_LARGE or not error.output:
            raise
        return replace(parse_refs(error.output.rpartition(b"\n")[0]), is_complete=False)
    return parse_refs(output)


def parse_refs(output: bytes) -> RemoteRefs:
    """Read what `git ls-remote --symref` printed; lines that are nothing of it are passed over."""
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    default = ""
    for line in output.split(b"\n"):
        value, tab, raw_name = line.partition(b"\t")
        if not tab:
            continue
        name, what = _printable(raw_name), _printable(value)
        if name == "HEAD":
            if what.startswith(f"ref: {_BRANCHES}"):
                default = what.removeprefix(f"ref: {_BRANCHES}")
        elif name.startswith(_BRANCHES):
            branches[name.removeprefix(_BRANCHES)] = what
        elif name.startswith(_TAGS):
            # The peeled line `<tag>^{}` follows the tag's own.
            tags[name.removeprefix(_TAGS).removesuffix("^{}")] = what
    return RemoteRefs(branches, tags, default)


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "�" for character in text)
