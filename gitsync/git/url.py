"""Strict parser for repository urls, and the check of their host's addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from gitsync.git.addresses import Address, Network, is_public_or_in
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.page_url import page_of
from gitsync.git.url_user import encoded_user, parse_user

DEFAULT_PROTOCOLS = frozenset({"https", "ssh"})
MAX_URL_CHARACTERS = 2048
_KNOWN_SCHEMES = ("https", "ssh", "http", "git", "file")
ANY_PROTOCOL = frozenset(_KNOWN_SCHEMES)  # for urls that are only shown
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
# The part of `user:password@host:path` after the first colon, where scp form has the path.
_PASSWORD_IN_SCP = re.compile(r".*@[A-Za-z0-9.-]+:")


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """The parsed url of a repository. Only `parse_url` creates it.

    `host` is lower-case, without brackets and final dot, and `""` for `file`. `port` is None for the scheme's default.
    `user` is percent-decoded like in git. `path` begins with a slash and is kept as written: percent-encoded, except in
    scp form, where git does not decode. `from_home` marks the scp form with a relative path (`git@host:team/dags.git`). A
    plain ssh server resolves it from the login's home directory, while `ssh://git@host/team/dags.git` is absolute, so they
    are different repositories.
    """

    scheme: str
    host: str
    port: int | None
    user: str | None
    path: str
    from_home: bool = False

    @property
    def fetch_url(self) -> str:
        """Return the url for git. For https and http it has no user, since the credential contains it."""
        if self.from_home:
            user = f"{self.user}@" if self.user else ""
            return f"{user}{_bracketed(self.host)}:{self.path[1:]}"
        user = f"{encoded_user(self.user)}@" if self.user and self.scheme == "ssh" else ""
        return f"{self.scheme}://{user}{self.authority}{self.path}"

    @property
    def display(self) -> str:
        """Return the url for people: `fetch_url`, which never contains a secret."""
        return self.fetch_url

    @property
    def authority(self) -> str:
        """Return `host` or `host:port`, with an IPv6 address in brackets."""
        port = f":{self.port}" if self.port else ""
        return self.authority_without_port + port

    @property
    def authority_without_port(self) -> str:
        """Return `host`, with an IPv6 address in brackets."""
        return _bracketed(self.host)

    @property
    def port_or_default(self) -> int:
        """Return the TCP port, or 0 for `file`."""
        return self.port or _DEFAULT_PORTS.get(self.scheme, 0)

    def __str__(self) -> str:
        return self.display


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
    _check_protocol(scheme, allow_protocols)
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
    host, port = _host_and_port(hostport)
    return RemoteUrl(scheme, host, None if port == _DEFAULT_PORTS[scheme] else port, user, _path(path))


def check_host(
    url: RemoteUrl,
    allow_private_hosts: frozenset[str],
    resolve: Callable[..., list[Any]] | None = socket.getaddrinfo,
) -> tuple[str, ...]:
    """Return the addresses of the url's host, all of them public or allowed, or `()` for `file`.

    Connect only to these addresses. Otherwise a name that resolves differently the second time bypasses the check.
    `allow_private_hosts` contains host names, addresses and CIDR networks. With `resolve=None` names are not resolved
    (behind a proxy, which does that), and only literal addresses are checked. Raises GitError (HOST_NOT_ALLOWED; NETWORK
    if the name cannot be resolved).
    """
    if url.scheme == "file":
        return ()
    host = url.host
    literal = _address(host)
    if literal is not None:
        addresses: tuple[str, ...] = (str(literal),)
    elif resolve is None:
        return ()
    else:
        addresses = _lookup(host, url.port_or_default, resolve)
    allowed = {name.strip().lower().rstrip(".") for name in allow_private_hosts}
    if host in allowed:
        return addresses
    networks = _networks(allowed)
    for text in addresses:
        if is_public_or_in(ipaddress.ip_address(text), networks):
            continue
        via = "" if literal else f" (it resolves to {text})"
        raise git_error(
            GitReason.HOST_NOT_ALLOWED,
            f"host {host!r} is a private, loopback, link-local, metadata or other special-purpose address{via}. "
            "An operator can allow it: add the host, address or network to kiok.gitsync.allow.private.hosts.",
        )
    return addresses


def _parse_scp(text: str, allow_protocols: frozenset[str]) -> RemoteUrl:
    head, colon, path = _split_scp(text)
    if not colon or "/" in head or path.startswith(":"):
        raise _refused("is not valid: write https://host/path, ssh://user@host/path or user@host:path")
    if head.lower() in _KNOWN_SCHEMES:
        raise _refused(f"has too few slashes after {head.lower()}: write {head.lower()}://host/path")
    _check_protocol("ssh", allow_protocols)
    userinfo, at, host = head.rpartition("@")
    if not at and _PASSWORD_IN_SCP.match(path):
        raise _refused("contains a password. Put the credential into a connection")
    user = _user(userinfo, "ssh", is_encoded=False) if at else None
    host, port = _host_and_port(host)
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


def _check_protocol(scheme: str, allow_protocols: frozenset[str]) -> None:
    if scheme not in _KNOWN_SCHEMES:
        raise _refused(f"has the unknown scheme {scheme[:40]!r}. Allowed are {_listed(allow_protocols)}")
    if scheme not in allow_protocols:
        raise git_error(
            GitReason.PROTOCOL_NOT_ALLOWED,
            f"the scheme {scheme!r} is not allowed. Allowed are {_listed(allow_protocols)}",
        )


def _user(userinfo: str, scheme: str, *, is_encoded: bool = True) -> str:
    try:
        return parse_user(userinfo, is_web=scheme in ("http", "https"), is_encoded=is_encoded)
    except ValueError as exc:
        raise _refused(str(exc)) from exc


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        try:
            host = str(ipaddress.IPv6Address(host)) if bracket and "%" not in host else ""
        except ValueError:
            host = ""
        if not host or (tail and not tail.startswith(":")):
            raise _refused("has a malformed IPv6 address. Write [address] or [address]:port")
        port_text = tail[1:] if tail else None
    else:
        host, colon, number = text.partition(":")
        host = host.lower().removesuffix(".")
        port_text = number if colon else None
        if not host.isascii():
            raise _refused("has a host with non-ASCII characters. Write its punycode form (xn--...)")
        if not _HOST.fullmatch(host) or ".." in host:
            raise _refused("has no valid host name (letters, digits, '.', '-', '_'; no leading dash)")
    if port_text is None:
        return host, None
    if not _PORT.fullmatch(port_text) or not 0 < int(port_text) < 65536:
        raise _refused("has a port that is not a number from 1 to 65535")
    return host, int(port_text)


def _path(path: str) -> str:
    if not path.strip("/"):
        raise _refused("has no path to a repository")
    if path.lstrip("/").startswith("-"):
        raise _refused("has a path that begins with a dash")
    decoded = unquote_to_bytes(path)
    if any(byte < 0x20 or byte == 0x7F for byte in decoded) or decoded.lstrip(b"/").startswith(b"-"):
        raise _refused("has a percent-encoded control character or leading dash in its path")
    return path


def _lookup(host: str, port: int, resolve: Callable[..., list[Any]]) -> tuple[str, ...]:
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise git_error(GitReason.NETWORK, f"host {host!r} cannot be resolved: {exc}") from exc
    addresses = tuple(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))
    if not addresses:
        raise git_error(GitReason.NETWORK, f"host {host!r} cannot be resolved: it has no address")
    return addresses


def _networks(names: Iterable[str]) -> list[Network]:
    networks: list[Network] = []
    for name in names:
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError:
            continue  # a host name
    return networks


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listed(protocols: frozenset[str]) -> str:
    return ", ".join(sorted(protocols)) or "none"


def _refused(why: str) -> GitError:
    # The text itself is not repeated, since it may contain a password.
    return git_error(GitReason.URL_INVALID, f"the url {why}")
