"""A real https server, on a loopback port by default, that serves repositories through `git http-backend`."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import shutil
import ssl
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

from tests.support.servers.certificates import make_certificates

_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
_RESULT = "application/x-git-upload-pack-result"


class Fault(StrEnum):
    """The misbehaviour of a server that does not serve the repository."""

    # Takes the request and never answers.
    HANG = "hang"
    # Sends the right response, one byte at a time.
    DRIP = "drip"
    # Sends the refs, then closes the connection in the middle of the pack.
    CUT = "cut"
    # Sends an endless list of refs.
    ENDLESS = "endless"
    # Sends the refs, then an endless pack.
    ENDLESS_PACK = "endless pack"
    # Answers with bytes that are no git, under git's media type.
    GARBAGE = "garbage"
    # Answers with `page`, of the media type `media`, and status 200: a login form.
    PAGE = "page"
    # Sends the refs, then a damaged pack.
    GARBLED_PACK = "garbled pack"
    # Sends to `elsewhere`.
    REDIRECT = "redirect"
    TOO_MANY_REQUESTS = "429"
    UNAVAILABLE = "503"


class HttpsServer:
    """Serves the bare repositories under `root` at `url(path)`; a context manager.

    `accounts` maps user names to passwords (empty: open to all). `status` answers every request with
    that status instead (`status_of_posts`: every POST), `redirect_to` with a 302 to another server,
    `delay_seconds` waits before each answer, and `min_at_once` until so many requests were there at the same time.
    `faults` maps the first component of a path to what is wrong with that repository.
    `requests` are the (method, path, authorization header) seen, in order; `most_at_once` how many were
    answered at the same time, by the host name they were sent to, and `""` in all. `certificates` are a
    certificate and its key; None has them made.
    """

    def __init__(
        self,
        root: Path,
        state: Path,
        accounts: dict[str, str] | None = None,
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        certificates: tuple[Path, Path] | None = None,
    ) -> None:
        self.root = root
        self.accounts = dict(accounts or {})
        self.status: int | None = None
        self.status_of_posts: int | None = None
        self.redirect_to: str | None = None
        self.delay_seconds = 0.0
        self.min_at_once = 0
        self.faults: dict[str, Fault] = {}
        self.page = b"<!doctype html>\n<title>Sign in</title>\n<script>alert(1)</script>\n"
        self.media = "text/html"
        self.drip_seconds = 0.05
        self.elsewhere = "https://elsewhere.invalid"
        self.requests: list[tuple[str, str, str | None]] = []
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        self._counting = threading.Lock()
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = state / "ca.pem"
        certificate, key = certificates or make_certificates(state, self.ca_file)
        self._stopping = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(listen, handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake happens in the thread of the connection, so that a silent client blocks no other.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> HttpsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop answering, like a server that is down. May be called again."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/{path}"

    def wait(self, seconds: float) -> bool:
        """Wait, but not past the server's end. Return whether it has ended."""
        return self._stopping.wait(seconds)

    @contextlib.contextmanager
    def counted(self, host: str) -> Iterator[None]:
        """Count a request of that `Host` header while the block runs."""
        keys = (host.partition(":")[0], "")
        with self._counting:
            self._at_once.update(keys)
            self.most_at_once |= self._at_once
        try:
            yield
        finally:
            with self._counting:
                self._at_once.subtract(keys)

    def lets_in(self, authorization: str | None) -> bool:
        if not self.accounts:
            return True
        if authorization is None or not authorization.startswith("Basic "):
            return False
        user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        return self.accounts.get(user) == password


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or does not trust us, is part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: HttpsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.owner.counted(self.headers.get("Host", "")):
            self._answer()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing; `requests` has the requests."""

    def _answer(self) -> None:
        owner, authorization = self.owner, self.headers.get("Authorization")
        owner.requests.append((self.command, self.path, authorization))
        body = self._body()
        if owner.delay_seconds:
            owner.wait(owner.delay_seconds)
        while owner.most_at_once[""] < owner.min_at_once and not owner.wait(0.02):
            pass
        if owner.redirect_to is not None:
            self._plain(302, Location=owner.redirect_to + self.path)
        elif owner.status is not None:
            self._plain(owner.status)
        elif owner.status_of_posts is not None and self.command == "POST":
            self._plain(owner.status_of_posts)
        elif not owner.lets_in(authorization):
            self._plain(401, **{"WWW-Authenticate": 'Basic realm="git"'})
        elif fault := owner.faults.get(self.path.split("/")[1]):
            self._misbehave(fault, body)
        else:
            self._send(*self._backend(body))

    def _misbehave(self, fault: Fault, body: bytes) -> None:
        asks_for_pack = self.command == "POST" and b"command=fetch" in body
        media = _RESULT if self.command == "POST" else _ADVERTISEMENT
        match fault:
            case Fault.HANG:
                self.close_connection = True
                while not self.owner.wait(1):
                    pass
            case Fault.TOO_MANY_REQUESTS | Fault.UNAVAILABLE:
                self._plain(int(fault), **{"Retry-After": "3600"})
            case Fault.REDIRECT:
                self._plain(302, Location=self.owner.elsewhere + self.path)
            case Fault.GARBAGE:
                self._send(200, [("Content-Type", media)], b"\x00\xff\x1b[2Jzzzz not git at all\r\n" * 40)
            case Fault.PAGE:
                self._send(
                    200, [("Content-Type", self.owner.media)] if self.owner.media else [], self.owner.page
                )
            case Fault.DRIP:
                self._drip(*self._backend(body))
            case Fault.ENDLESS if b"command=ls-refs" in body:
                self._flood(media, b"", _pkt(b"a" * 40 + b" refs/heads/endless\n") * 1000)
            case Fault.ENDLESS_PACK if asks_for_pack:
                # A pack that announces one blob of 64 GB, stored, so that what follows is its content.
                head = b"PACK" + struct.pack(">II", 2, 1) + _object_header(3, 1 << 36) + b"\x78\x01"
                block = b"\x00" + struct.pack("<HH", 60_000, 60_000 ^ 0xFFFF) + os.urandom(60_000)
                self._flood(media, _pkt(b"packfile\n") + _pkt(b"\x01" + head), _pkt(b"\x01" + block))
            case Fault.CUT if asks_for_pack:
                status, headers, content = self._backend(body)
                self._send(status, headers, content[: len(content) // 2], announced=len(content))
                self.close_connection = True
            case Fault.GARBLED_PACK if asks_for_pack:
                status, headers, content = self._backend(body)
                middle = content.index(b"PACK") + 40
                damage = bytes(byte ^ 0xFF for byte in content[middle : middle + 16])
                self._send(status, headers, content[:middle] + damage + content[middle + 16 :])
            case _:
                self._send(*self._backend(body))

    def _drip(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self._send(status, headers, b"", announced=len(content))
        with contextlib.suppress(OSError):
            for byte in content:
                if self.owner.wait(self.owner.drip_seconds):
                    return
                self.wfile.write(bytes([byte]))

    def _flood(self, media: str, first: bytes, again: bytes) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = first + again
        with contextlib.suppress(OSError):
            while not self.owner.wait(0):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                data = again

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(
        self, status: int, headers: list[tuple[str, str]], content: bytes, announced: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if announced is None else announced))
        self.end_headers()
        self.wfile.write(content)

    def _backend(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return git's own response: status, headers, content."""
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),  # as CGI has it
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        git = shutil.which("git")
        assert git is not None
        done = subprocess.run(
            [git, "http-backend"], env=environment, input=body, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [
            (name, value)
            for name, separator, value in (line.partition(": ") for line in head.decode().split("\r\n"))
            if separator
        ]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        return status, [header for header in headers if header[0] != "Status"], content


def _pkt(data: bytes) -> bytes:
    """A line of git's protocol: its length in four hexadecimal digits, then the data."""
    return b"%04x%s" % (len(data) + 4, data)


def _object_header(kind: int, size: int) -> bytes:
    """Type and size of an object in a pack (gitformat-pack(5)): 4 bits of the size, then 7 at a time."""
    byte, size = kind << 4 | size & 15, size >> 4
    header = b""
    while size:
        header += bytes([byte | 0x80])
        byte, size = size & 0x7F, size >> 7
    return header + bytes([byte])
