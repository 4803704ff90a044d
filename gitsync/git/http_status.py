"""HTTP statuses of git servers and proxies, with the reason that each means for a repository.

Statuses: https://www.iana.org/assignments/http-status-codes, and those of nginx (495 to 499) and Cloudflare (520 to 530).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from gitsync.git.errors import GitReason

_ANSWER = re.compile(
    r"returned error: (\d{3})\b|http code = (\d{3})\b|rpc failed; http (\d{3})\b", re.IGNORECASE
)
_TUNNEL = re.compile(
    r"connect tunnel failed, response (\d{3})|received http code (\d{3}) from proxy after connect",
    re.IGNORECASE,
)
_REASONS: dict[GitReason, frozenset[int]] = {
    GitReason.REDIRECT_REFUSED: frozenset({300, 301, 302, 303, 305, 306, 307, 308}),
    GitReason.AUTHENTICATION_FAILED: frozenset({401, 403}),
    GitReason.REPOSITORY_BLOCKED: frozenset({402, 451}),
    GitReason.REPOSITORY_NOT_FOUND: frozenset({404, 410}),
    GitReason.PROXY_AUTHENTICATION_FAILED: frozenset({407, 511}),
    GitReason.SERVER_ERROR: frozenset({408, 425, 429}),
    GitReason.UNSUPPORTED: frozenset({495, 496}),
    GitReason.REQUEST_REFUSED: frozenset({501, 505}),
}
_BY_STATUS = {status: reason for reason, statuses in _REASONS.items() for status in statuses}
_TOO_MUCH = "A proxy or web server in front of git has a limit for requests"
_HINTS = {
    402: "The server requires a payment for the account or the repository",
    411: "The server accepts no body of unknown length, which git sends. A proxy in front of it can buffer the body and add "
    "the length",
    413: f"{_TOO_MUCH} (the size of the body)",
    414: f"{_TOO_MUCH} (the length of the url)",
    415: "The server does not accept git's media types",
    426: "The server requires another version of HTTP",
    431: f"{_TOO_MUCH} (the size of the headers). A very long token may be the cause",
    451: "The server blocks the repository for legal reasons",
    495: "The server requires a client certificate, which is not supported",
    496: "The server requires a client certificate, which is not supported",
    501: "The server does not support git's requests",
    511: "The network requires a sign-in before it gives access",
}
_NAMES = {
    495: "SSL Certificate Error",
    496: "SSL Certificate Required",
    497: "HTTP Request Sent to HTTPS Port",
    520: "Unknown Error of the Origin",
    521: "Origin Is Down",
    522: "Connection to the Origin Timed Out",
    523: "Origin Is Unreachable",
    524: "Origin Timed Out",
    525: "TLS Handshake with the Origin Failed",
    526: "Certificate of the Origin Is Invalid",
    530: "Origin Cannot Be Resolved",
}


def status_in(stderr: str) -> int | None:
    """Return the status of the server's response as git reports it, or None if git names none."""
    return _first(_ANSWER, stderr)


def tunnel_status_in(stderr: str) -> int | None:
    """Return the status with which a proxy refused to connect to the server, or None."""
    return _first(_TUNNEL, stderr)


def reason_of(status: int) -> GitReason:
    """Return the reason for a response with an error status."""
    if (reason := _BY_STATUS.get(status)) is not None:
        return reason
    return GitReason.SERVER_ERROR if 500 <= status < 600 else GitReason.REQUEST_REFUSED


def reason_of_tunnel(status: int) -> GitReason:
    """Return the reason for a proxy's response with this status to a CONNECT request."""
    if status == 407:
        return GitReason.PROXY_AUTHENTICATION_FAILED
    return GitReason.PROXY_REFUSED if 400 <= status < 500 else GitReason.NETWORK


def named(status: int) -> str:
    """Return the status as text for people: `HTTP 405 (Method Not Allowed)`, with a hint about the cause if there is one."""
    try:
        name = _NAMES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        name = ""
    hint = f". {_HINTS[status]}" if status in _HINTS else ""
    return f"HTTP {status}" + (f" ({name})" if name else "") + hint


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(next(filter(None, found.groups()))) if found else None
