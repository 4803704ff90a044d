"""An https server that repeats the credential it was sent, in every way a git client could be made to show it."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.canary.marks import ENCODINGS
from tests.support.servers.https import HttpsServer

# A requested branch that does not exist; the error quotes the existing names, cut.
ASKED_REF = "release"


class EchoingServer(HttpsServer):
    """An HttpsServer that echoes if the path begins with `echo-<status>`, `echo-error`, `echo-refs` or `echo-redirect`.

    `echoed` counts, by that first component, how often a credential was sent back.
    """

    def __init__(self, root: Path, state: Path) -> None:
        super().__init__(root, state)
        self.echoed: dict[str, int] = {}
        plain: type[BaseHTTPRequestHandler] = self._server.RequestHandlerClass  # type: ignore[assignment]
        self._server.RequestHandlerClass = type("Echo", (_Echo, plain), {})


class _Echo:
    """Goes before the plain handler."""

    owner: EchoingServer
    headers: Any
    path: str

    def do_GET(self) -> None:
        self._answer_or_echo("GET")

    def do_POST(self) -> None:
        self._answer_or_echo("POST")

    def _answer_or_echo(self, method: str) -> None:
        way = self.path.split("/")[1]
        if not way.startswith("echo-"):
            getattr(super(), f"do_{method}")()
            return
        self._body()  # type: ignore[attr-defined]
        authorization = self.headers.get("Authorization")
        if authorization is None:
            self._plain(401, **{"WWW-Authenticate": 'Basic realm="git"'})  # type: ignore[attr-defined]
            return
        self.owner.echoed[way] = self.owner.echoed.get(way, 0) + 1
        user, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        self._echo(way.removeprefix("echo-"), authorization, user, secret)

    def _echo(self, way: str, authorization: str, user: str, secret: str) -> None:
        words = (
            f"Authorization: {authorization}; user {user}; {user}:{secret}; {json.dumps([user, secret])}; "
        )
        words += "; ".join(encode(secret) for name, encode in ENCODINGS.items() if "half" not in name)
        advertisement = "application/x-git-upload-pack-advertisement"
        match way:
            case "redirect":
                to = f"https://{quote(user, safe='')}:{quote(secret, safe='')}@127.0.0.1:{self.owner.port}/"
                self._plain(302, Location=to)  # type: ignore[attr-defined]
            case "error":
                line = _pkt(f"ERR {' '.join(words.split())}"[:60_000].encode())
                body = _pkt(b"# service=git-upload-pack\n") + b"0000" + line
                self._send(200, [("Content-Type", advertisement)], body)  # type: ignore[attr-defined]
            case "refs":
                encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
                name = f"{'1' * 40} refs/heads/{ASKED_REF}-{encoded}".encode()
                ends = b"\0 symref=HEAD:refs/heads/main agent=git/2\n"
                body = _pkt(b"# service=git-upload-pack\n") + b"0000" + _pkt(name + ends) + b"0000"
                self._send(200, [("Content-Type", advertisement)], body)  # type: ignore[attr-defined]
            case _:
                # Long, so that a cut to some length cuts a secret in two; and more of it in a last line.
                text = "\n".join((words, *(f"again {secret}{secret}" for _ in range(40)), authorization))
                self._send(int(way), [("Content-Type", "text/plain; charset=utf-8")], text.encode())  # type: ignore[attr-defined]


def _pkt(data: bytes) -> bytes:
    return b"%04x%s" % (len(data) + 4, data)
