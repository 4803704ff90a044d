"""A real https server on a loopback port that hands out repositories through `git http-backend`."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class HttpsServer:
    """Serves the bare repositories under `root` at `url(path)`; a context manager.

    `accounts` maps user names to passwords (empty: open to all). `status` answers every request with
    that status instead, `redirect_to` with a 302 to another server, `delay_seconds` waits before each
    answer. `requests` are the (method, path, authorization header) seen, in order.
    """

    def __init__(self, root: Path, state: Path, accounts: dict[str, str] | None = None) -> None:
        self.root = root
        self.accounts = dict(accounts or {})
        self.status: int | None = None
        self.redirect_to: str | None = None
        self.delay_seconds = 0.0
        self.requests: list[tuple[str, str, str | None]] = []
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = state / "ca.pem"
        certificate, key = _make_certificates(state, self.ca_file)
        self._stopping = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake happens in the thread of the connection, so that a silent client stops nobody.
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
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/{path}"

    def wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)

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
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; `requests` tells."""

    def _answer(self) -> None:
        owner, authorization = self.owner, self.headers.get("Authorization")
        owner.requests.append((self.command, self.path, authorization))
        body = self._body()
        if owner.delay_seconds:
            owner.wait(owner.delay_seconds)
        if owner.redirect_to is not None:
            self._plain(302, Location=owner.redirect_to + self.path)
        elif owner.status is not None:
            self._plain(owner.status)
        elif not owner.lets_in(authorization):
            self._plain(401, **{"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self._backend(body)

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

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
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
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send_response(status)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _make_certificates(state: Path, ca_file: Path) -> tuple[Path, Path]:
    """An own authority in `ca_file` and a certificate it signed for localhost: (certificate, key)."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def build(
        name: x509.Name, key: ec.EllipticCurvePrivateKey, extend: Callable[..., x509.CertificateBuilder]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )
        return extend(builder).sign(ca_key, hashes.SHA256())

    ca = build(
        ca_name,
        ca_key,
        lambda b: b.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = build(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
        key,
        lambda b: b.add_extension(x509.SubjectAlternativeName(names), critical=False),
    )
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    certificate_file, key_file = state / "server.pem", state / "server.key"
    certificate_file.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
