"""Strict parser for repository urls, and the check of their host's addresses (`kiok.net.url`)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.page_url import page_of
from gitsync.git.url_user import encoded_user, parse_user
from kiok.net.errors import NetError
from kiok.net.url import ServerUrl, check_protocol, listed, parse_host_and_port, parse_server
from kiok.net.url import check_host as check_server

DEFAULT_PROTOCOLS = frozenset({"https", "ssh"})
MAX_URL_CHARACTERS = 2048
_KNOWN_SCHEMES = ("https", "ssh", "http", "git", "file")
ANY_PROTOCOL = frozenset(_KNOWN_SCHEMES)  # for urls that are only shown
# The part of `user:password@host:path` after the first colon, where scp form has the path.
_PASSWORD_IN_SCP = re.compile(r".*@[A-Za-z0-9.-]+:")


@dataclass(frozen=True, slots=True)
class RemoteUrl(ServerUrl):
    """The parsed url of a repository. Only `parse_url` creates it.

    `user` is percent-decoded like in git. `path` begins with a slash and is kept as written: percent-encoded, except in
    scp form, where git does not decode. `from_home` marks the scp form with a relative path (`git@host:team/dags.git`). A
    plain ssh server resolves it from the login's home directory, while `ssh://git@host/team/dags.git` is absolute, so they
    are different repositories.
    """

    user: str | None
    path: str
    from_home: bool = False

    @property
    def fetch_url(self) -> str:
        """Return the url for git. For https and http it has no user, since the credential contains it."""
        if self.from_home:
            user = f"{self.user}@" if self.user else ""
            return f"{user}{self.authority_without_port}:{self.path[1:]}"
        user = f"{encoded_user(self.user)}@" if self.user and self.scheme == "ssh" else ""
        return f"{self.scheme}://{user}{self.authority}{self.path}"

    @property
    def display(self) -> str:
        """Return the url for people: `fetch_url`, which never contains a secret."""
        return self.fetch_url

    def __str__(self) -> str:
        return self.display


@contextmanager
def _as_git_errors() -> Iterator[None]:
    """Raise the errors of the url's server as GitError."""
    try:
        yield
    except NetError as exc:
        raise git_error(GitReason[exc.reason.name], str(exc)) from exc


@_as_git_errors()
def parse_url(text: str, *, allow_protocols: frozenset[str] = DEFAULT_PROTOCOLS) -> RemoteUrl:
    """Parse `https://host/path`, `ssh://user@host:port/path` or `user@host:path`.

    `http`, `git` and `file` are known as well, but refused unless `allow_protocols` contains them. Raises GitError
    (URL_INVALID, PROTOCOL_NOT_ALLOWED). Its message never repeats a password.
    """
    if len(text) > MAX_URL_CHARACTERS:
        raise _refused(f"is longer than {MAX_URL_CHARACTERS} characters")
    if not text.isprintable() or any(character.isspace() for character in text):
        raise _refused("has white space or a control character")
    if "\\" in text:
        raise _refused("has a backslash")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _parse_scp(text, allow_protocols)
    scheme = scheme.lower()
    _check_known_protocol(scheme, allow_protocols)
    authority, slash, path = rest.partition("/")
    path = slash + path
    if scheme == "file":
        if authority:
            raise _refused("has a host. A file url has three slashes: file:///srv/git/dags.git")
        return RemoteUrl("file", "", None, None, _path(path))
    userinfo, at, hostport = authority.rpartition("@")
    _refuse_page(scheme, hostport, path)
    if "?" in text or "#" in text:
        raise _refused("has a query or a fragment ('?' or '#'). Remove it")
    user = _user(userinfo, scheme) if at else None
    server = parse_server(scheme, hostport)
    return RemoteUrl(scheme, server.host, server.port, user, _path(path))


@_as_git_errors()
def check_host(
    url: RemoteUrl,
    allow_private_hosts: frozenset[str],
    resolve: Callable[..., list[Any]] | None = socket.getaddrinfo,
) -> tuple[str, ...]:
    """Return the addresses of the url's host as `kiok.net.url.check_host`. Raises GitError (HOST_NOT_ALLOWED, NETWORK)."""
    return check_server(url, allow_private_hosts, resolve)


def _parse_scp(text: str, allow_protocols: frozenset[str]) -> RemoteUrl:
    head, colon, path = _split_scp(text)
    if not colon or "/" in head or path.startswith(":"):
        raise _refused("is not valid: write https://host/path, ssh://user@host/path or user@host:path")
    if head.lower() in _KNOWN_SCHEMES:
        raise _refused(f"has too few slashes after {head.lower()}: write {head.lower()}://host/path")
    check_protocol("ssh", allow_protocols)
    userinfo, at, host = head.rpartition("@")
    if not at and _PASSWORD_IN_SCP.match(path):
        raise _refused("contains a password. Put the credential into a connection")
    user = _user(userinfo, "ssh", is_encoded=False) if at else None
    host, port = parse_host_and_port(host)
    if port is not None:
        raise _refused("has a port in scp form. Write ssh://user@host:port/path")
    if path.startswith(("~", "/")):
        # It becomes an ssh url, in which git decodes the path. In scp form git takes the path literally.
        path = path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
        return RemoteUrl("ssh", host, None, user, _path("/" + path.removeprefix("/")))
    return RemoteUrl("ssh", host, None, user, _path("/" + path), from_home=True)


def _refuse_page(scheme: str, hostport: str, path: str) -> None:
    """Refuse the url of a web page of a git service, with the values to enter instead."""
    if scheme not in ("http", "https"):
        return
    plain, _, query = path.partition("#")[0].partition("?")
    if (page := page_of(scheme, hostport, plain, query)) is not None:
        raise _refused(f"is that of a web page about a repository, not of the repository. {page.advice}")


def _split_scp(text: str) -> tuple[str, str, str]:
    """Split scp form into `user@host`, `:` and `path`. The host can be an IPv6 address in brackets."""
    bracket = text.find("]")
    start = bracket if bracket >= 0 and "[" in text[:bracket] and "/" not in text[:bracket] else 0
    colon = text.find(":", start)
    return (text[:colon], ":", text[colon + 1 :]) if colon >= 0 else (text, "", "")


def _check_known_protocol(scheme: str, allow_protocols: frozenset[str]) -> None:
    if scheme not in _KNOWN_SCHEMES:
        raise _refused(f"has the unknown scheme {scheme[:40]!r}. Allowed are {listed(allow_protocols)}")
    check_protocol(scheme, allow_protocols)


def _user(userinfo: str, scheme: str, *, is_encoded: bool = True) -> str:
    try:
        return parse_user(userinfo, is_web=scheme in ("http", "https"), is_encoded=is_encoded)
    except ValueError as exc:
        raise _refused(str(exc)) from exc


def _path(path: str) -> str:
    if not path.strip("/"):
        raise _refused("has no path to a repository")
    if path.lstrip("/").startswith("-"):
        raise _refused("has a path that begins with a dash")
    decoded = unquote_to_bytes(path)
    if any(byte < 0x20 or byte == 0x7F for byte in decoded) or decoded.lstrip(b"/").startswith(b"-"):
        raise _refused("has a percent-encoded control character or leading dash in its path")
    return path


def _refused(why: str) -> GitError:
    # The text itself is not repeated, since it may contain a password.
    return git_error(GitReason.URL_INVALID, f"the url {why}")
