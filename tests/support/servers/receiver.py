"""A real https server that receives webhooks, and an SMTP server that receives e-mail."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.servers.certificates import make_certificates


@dataclass(frozen=True)
class ReceivedWebhook:
    """A received webhook. `headers` by their names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ThreadedServer:
    """A server that runs in its own thread while the context lasts."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        _host, port, *_ = self._server.socket.getsockname()
        return int(port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


class WebhookServer(ThreadedServer):
    """Takes POSTs at `url()`; a context manager.

    `status`, `headers` and `answer` are what it answers; `drip_seconds` is how long it waits before each byte of the
    answer; `on_request` is called before it answers.
    """

    def __init__(self, state: Path) -> None:
        self.received: list[ReceivedWebhook] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer = b"ok"
        self.drip_seconds = 0.0
        self.on_request: Callable[[], object] = lambda: None
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = state / "ca.pem"
        certificate, key = make_certificates(state, self.ca_file)
        self.stopping = threading.Event()
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        super().__init__(server)

    def url(self, path: str = "hook", *, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/{path}"

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        super().__exit__(kind, value, traceback)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or does not trust us, is part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: WebhookServer

    def do_POST(self) -> None:
        owner = self.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner.received.append(ReceivedWebhook(self.path, headers, body))
        owner.on_request()
        head = [f"HTTP/1.1 {owner.status} Answered", f"Content-Length: {len(owner.answer)}"]
        head += [f"{name}: {value}" for name, value in owner.headers.items()]
        answer = "\r\n".join([*head, "", ""]).encode() + owner.answer
        if not owner.drip_seconds:
            self.wfile.write(answer)
            return
        with contextlib.suppress(OSError):
            for byte in answer:
                if owner.stopping.wait(owner.drip_seconds):
                    return
                self.wfile.write(bytes([byte]))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing; `received` has the requests."""


class MailServer(ThreadedServer):
    """Takes e-mail by SMTP (RFC 5321) at `port`, with STARTTLS and then AUTH PLAIN; a context manager.

    `messages` are (login, recipients, text). `speaks_tls`: from the start, instead of STARTTLS. `refuses` is what it
    answers to a message instead of taking it, and `refuses_addresses` what to addresses; `pause_seconds` is how long it
    waits before each answer, and `taking_seconds` before that to a message.
    """

    def __init__(self, state: Path) -> None:
        self.messages: list[tuple[str, list[str], str]] = []
        self.speaks_tls = False
        self.refuses = ""
        self.refuses_addresses: dict[str, str] = {}
        self.pause_seconds = 0.0
        self.taking_seconds = 0.0
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = state / "ca.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*make_certificates(state, self.ca_file))
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), type("Session", (_Session,), {"owner": self})
        )
        server.daemon_threads = True
        super().__init__(server)


class _Session(socketserver.StreamRequestHandler):
    owner: MailServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._talk()

    def _talk(self) -> None:
        login, recipients, is_safe = "", [], self.owner.speaks_tls
        if is_safe:
            self._secure()
        self._say("220 localhost")
        while line := self.rfile.readline(1000).decode("ascii").strip():
            command = line.split(" ")[0].upper()
            if command == "EHLO":
                self._say("250-localhost")
                self._say("250 AUTH PLAIN" if is_safe else "250 STARTTLS")
            elif command == "STARTTLS":
                self._say("220 go ahead")
                self._secure()
                is_safe = True
            elif command == "AUTH":
                login = line.split(" ")[-1]
                self._say("235 welcome")
            elif command == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                refusal = self.owner.refuses_addresses.get(address)
                if refusal is None:
                    recipients.append(address)
                self._say(refusal or "250 ok")
            elif command == "DATA":
                self._say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                time.sleep(self.owner.taking_seconds)
                if self.owner.refuses:
                    self._say(self.owner.refuses)
                else:
                    self.owner.messages.append((login, recipients, text.decode()))
                    self._say("250 taken")
            elif command == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _secure(self) -> None:
        self.request = self.owner.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

    def _say(self, line: str) -> None:
        time.sleep(self.owner.pause_seconds)
        self.wfile.write(line.encode() + b"\r\n")


class ForwardProxy(ThreadedServer):
    """An http proxy that takes CONNECT and leads every host to 127.0.0.1, at `url`; a context manager.

    `requests` are (host and port, Proxy-Authorization). `status` is what it refuses every request with, None: it connects.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.requests: list[tuple[str, str]] = []
        handler = type("Tunnel", (_Tunnel,), {"owner": self})
        super().__init__(_Server(("127.0.0.1", 0), handler))

    @property
    def url(self) -> str:
        return f"http://ada:secret%20word@127.0.0.1:{self.port}"


class _Tunnel(http.server.BaseHTTPRequestHandler):
    owner: ForwardProxy

    def do_CONNECT(self) -> None:
        self.owner.requests.append((self.path, self.headers.get("Proxy-Authorization", "")))
        if self.owner.status is not None:
            self.send_response(self.owner.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as behind:
            self.wfile.write(b"HTTP/1.0 200 Connected\r\n\r\n")
            back = threading.Thread(target=self._pass, args=(behind, self.connection), daemon=True)
            back.start()
            self._pass(self.connection, behind)
            back.join(timeout=10)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing; `requests` has the requests."""
