"""Detection of servers that do not speak git, from the response headers, which git does not report in its errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.url import RemoteUrl

_MEDIA_TYPE = re.compile(r"<= recv header: content-type:\s*([\w.+-]+/[\w.+-]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"<= recv header: http/\S+ [0-9]{3}", re.IGNORECASE)
_OF_GIT = "application/x-git-"
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Advertised:
    """The result of `git ls-remote`.

    `output` are its lines. The last one may be cut off if `is_complete` is false. `stderr` contains a trace of HTTP
    response headers: never show it.
    """

    output: bytes
    is_complete: bool
    stderr: str
    is_failed: bool = False

    @property
    def refs(self) -> dict[str, str]:
        """Return the object ids by ref name, without a line that was cut off."""
        text = self.output.decode("utf-8", "replace")
        if not self.is_complete:
            text = text.rpartition("\n")[0]
        lines = (line.split("\t", 1) for line in text.split("\n"))
        return {parts[1]: parts[0] for parts in lines if len(parts) == 2}


def explained(error: GitError, url: RemoteUrl | None, ask: Callable[[RemoteUrl], Advertised]) -> GitError:
    """Return the error, or a more precise one if a web server's response was not git.

    `ask` sends another request, to get the headers of the response.
    """
    if error.reason is not GitReason.NOT_GIT or url is None or url.scheme not in ("http", "https"):
        return error
    try:
        return not_git(url, ask(url)) or error
    except GitError:
        return error  # the error of the original command says more


def not_git(url: RemoteUrl, answer: Advertised) -> GitError | None:
    """Return the error for a response that is not git's protocol. None if it is, or if that is unknown."""
    if url.scheme not in ("http", "https") or not _STATUS_LINE.search(answer.stderr):
        return None
    types = [found.lower() for found in _MEDIA_TYPE.findall(answer.stderr)]
    last = types[-1] if types else ""
    if last.startswith(_OF_GIT):
        return None
    if last in _PAGES:
        return git_error(
            GitReason.WEB_PAGE,
            f"{url.display} answers with a web page ({last}) instead of git. Often it is the sign-in page of the git "
            "service or of a proxy: does the repository need a connection? Open the url in a browser to see the page",
        )
    given = f"with {last!r}" if last else "without a media type"
    return git_error(
        GitReason.NOT_GIT,
        f"{url.display} answers {given}, which is not git's smart protocol ({_OF_GIT}...). Check that the url is that of "
        "the repository itself and that no proxy blocks git",
    )
